import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * What the Java library (com.messagebird:messagebird-api 6.2.5) sends about calls, and how it reads the answers.
 *
 * <p>Written from the wire contract (§1, §2, §3, §6.5), not from the library. What the library does wrong is done wrong here too.
 */
final class MessageBirdClient {
    static final String CLIENT_VERSION = "6.2.5";

    private static final Set<String> LANGUAGES =
            Set.of("de-DE", "en-AU", "en-UK", "en-US", "es-ES", "es-LA", "fr-FR", "it-IT", "nl-NL", "pt-BR");

    /** What the server told of an error. */
    static final class GeneralException extends Exception {
        GeneralException(String message) {
            super(message);
        }
    }

    /** The options of a step; those that are primitive are always sent. */
    static Map<String, Object> options(Map<String, Object> set) {
        Map<String, Object> options = new LinkedHashMap<>();
        for (String number : List.of("repeat", "length", "maxLength", "timeout", "machineTimeout", "duration", "interval")) {
            options.put(number, 0);
        }
        for (String truth : List.of("mask", "transcribe")) {
            options.put(truth, false);
        }
        options.putAll(set);
        return options;
    }

    /** How many requests were sent by whichever client. */
    static int sent;

    private final String base;
    private final String accessKey;

    MessageBirdClient(String base, String accessKey) {
        this.base = base;
        this.accessKey = accessKey;
    }

    /** A webhook is always sent, empty where there is none. */
    Map<String, Object> sendVoiceCall(Map<String, Object> call, Map<String, Object> webhook) throws Exception {
        Map<String, Object> body = new LinkedHashMap<>(call);
        body.put("webhook", webhook);
        return Answers.call(one("POST", "/calls", body));
    }

    List<Map<String, Object>> listAllVoiceCalls(Integer page, Integer pageSize) throws Exception {
        return all("/calls?" + query("page", page, "perPage", pageSize)).stream().map(Answers::call).toList();
    }

    Map<String, Object> viewVoiceCall(String id) throws Exception {
        return Answers.call(one("GET", "/calls/" + id, null));
    }

    void deleteVoiceCall(String id) throws Exception {
        ask("DELETE", "/calls/" + id, null);
    }

    List<Map<String, Object>> viewCallLegsByCallId(String call, Integer page, Integer pageSize) throws Exception {
        String path = "/calls/" + call + "/legs?" + query("page", page, "perPage", pageSize);
        return all(path).stream().map(Answers::leg).toList();
    }

    Map<String, Object> viewCallLegByCallIdAndLegId(String call, String leg) throws Exception {
        List<Map<String, Object>> found = all("/calls/" + call + "/legs/" + leg);
        if (found.size() != 1) {
            throw new GeneralException("No such leg");
        }
        return Answers.leg(found.get(0));
    }

    /** Asks for a call, and takes the answer for a recording. */
    Map<String, Object> viewRecording(String call, String leg, String recording) throws Exception {
        return Answers.recording(one("GET", "/calls/" + call + "?legs=" + leg + "&recordings=" + recording, null));
    }

    List<Map<String, Object>> listRecordings(String call, String leg, Integer offset, Integer limit) throws Exception {
        return all(recordings(call, leg) + "?" + query("offset", offset, "limit", limit)).stream().map(Answers::recording).toList();
    }

    Path downloadRecording(String call, String leg, String recording, Path folder) throws Exception {
        return file(recordings(call, leg) + "/" + recording + ".wav", folder.resolve(recording + ".wav"));
    }

    void deleteRecording(String call, String leg, String recording) throws Exception {
        ask("DELETE", recordings(call, leg) + "/" + recording, null);
    }

    /** The body is the language alone, as a JSON string; only languages that the library knows are asked for. */
    Map<String, Object> createTranscription(String call, String leg, String recording, String language) throws Exception {
        if (!LANGUAGES.contains(language)) {
            throw new IllegalArgumentException("Your language is not allowed.");
        }
        return Answers.transcription(one("POST", transcriptions(call, leg, recording), language));
    }

    Map<String, Object> viewTranscription(String call, String leg, String recording, String id) throws Exception {
        return Answers.transcription(one("GET", transcriptions(call, leg, recording) + "/" + id, null));
    }

    List<Map<String, Object>> listTranscriptions(String call, String leg, String recording, Integer page, Integer pageSize)
            throws Exception {
        String path = transcriptions(call, leg, recording) + "?" + query("page", page, "perPage", pageSize);
        return all(path).stream().map(Answers::transcription).toList();
    }

    Path downloadTranscription(String call, String leg, String recording, String id, Path folder) throws Exception {
        return file(transcriptions(call, leg, recording) + "/" + id + ".txt", folder.resolve(id + ".txt"));
    }

    Map<String, Object> createWebhook(Map<String, Object> webhook) throws Exception {
        return Answers.webhook(one("POST", "/webhooks", webhook));
    }

    Map<String, Object> updateWebhook(String id, Map<String, Object> webhook) throws Exception {
        return Answers.webhook(one("PUT", "/webhooks/" + id, webhook));
    }

    Map<String, Object> viewWebhook(String id) throws Exception {
        return Answers.webhook(one("GET", "/webhooks/" + id, null));
    }

    List<Map<String, Object>> listWebhooks(Integer offset, Integer limit) throws Exception {
        return all("/webhooks?" + query("offset", offset, "limit", limit)).stream().map(Answers::webhook).toList();
    }

    void deleteWebhook(String id) throws Exception {
        ask("DELETE", "/webhooks/" + id, null);
    }

    List<Map<String, Object>> listVoiceCallFlows(Integer offset, Integer limit) throws Exception {
        return all("/call-flows?" + query("offset", offset, "limit", limit)).stream().map(Answers::flow).toList();
    }

    Map<String, Object> viewVoiceCallFlow(String id) throws Exception {
        return Answers.flow(one("GET", "/call-flows/" + id, null));
    }

    Map<String, Object> sendVoiceCallFlow(Map<String, Object> flow) throws Exception {
        return Answers.flow(one("POST", "/call-flows", flow));
    }

    Map<String, Object> updateVoiceCallFlow(String id, Map<String, Object> flow) throws Exception {
        return Answers.flow(one("PUT", "/call-flows/" + id, flow));
    }

    void deleteVoiceCallFlow(String id) throws Exception {
        ask("DELETE", "/call-flows/" + id, null);
    }

    private static String recordings(String call, String leg) {
        return "/calls/" + call + "/legs/" + leg + "/recordings";
    }

    private static String transcriptions(String call, String leg, String recording) {
        return recordings(call, leg) + "/" + recording + "/transcriptions";
    }

    /** What is null is left out, and the question mark before it is not. */
    private static String query(String first, Object one, String second, Object two) {
        String both = one != null && two != null ? "&" : "";
        return (one == null ? "" : first + "=" + one) + both + (two == null ? "" : second + "=" + two);
    }

    private Map<String, Object> one(String method, String path, Object body) throws Exception {
        List<Map<String, Object>> data = Answers.data(ask(method, path, body));
        return data.get(0);
    }

    private List<Map<String, Object>> all(String path) throws Exception {
        return Answers.data(ask("GET", path, null));
    }

    private Path file(String path, Path to) throws Exception {
        HttpURLConnection connection = connect("GET", path, null);
        if (connection.getResponseCode() != 200) {
            throw refusal(connection);
        }
        try (InputStream content = connection.getInputStream()) {
            Files.copy(content, to);
        }
        return to;
    }

    private String ask(String method, String path, Object body) throws Exception {
        HttpURLConnection connection = connect(method, path, body);
        int status = connection.getResponseCode();
        if (status == 204) {
            return "";
        }
        if (status != 200 && status != 201) {
            throw refusal(connection);
        }
        try (InputStream content = connection.getInputStream()) {
            return new String(content.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private HttpURLConnection connect(String method, String path, Object body) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) new URL(base + path).openConnection();
        connection.setRequestMethod(method);
        connection.setDoInput(true);
        connection.setRequestProperty("Accept", "application/json");
        connection.setRequestProperty("Content-Type", body == null ? "text/plain" : "application/json");
        connection.setRequestProperty("charset", "utf-8");
        connection.setRequestProperty("Connection", "close");
        connection.setRequestProperty("Authorization", "AccessKey " + accessKey);
        String version = System.getProperty("java.version");
        connection.setRequestProperty("User-Agent", "MessageBird Java/" + version + " ApiClient/" + CLIENT_VERSION);
        sent++;
        if (body != null) {
            connection.setDoOutput(true);
            try (OutputStream content = connection.getOutputStream()) {
                content.write(Json.write(body).getBytes(StandardCharsets.UTF_8));
            }
        }
        return connection;
    }

    /** An answer without a body, or with one that is read otherwise, is an error of another kind. */
    private static GeneralException refusal(HttpURLConnection connection) throws IOException {
        try (InputStream content = connection.getErrorStream()) {
            return new GeneralException(Answers.errors(new String(content.readAllBytes(), StandardCharsets.UTF_8)));
        }
    }

    /** The objects of the library: closed lists of values, keys in any case, unknown keys passed over. */
    static final class Answers {
        private static final Set<String> CALL =
                Set.of("queued", "starting", "ongoing", "ended", "no_answer", "busy", "failed");
        private static final Set<String> LEG =
                Set.of("starting", "ringing", "ongoing", "hangup", "busy", "no_answer", "failed");
        private static final Set<String> DIRECTION = Set.of("incoming", "outgoing");
        private static final Set<String> SIP =
                Set.of("200", "403", "404", "408", "410", "480", "484", "486", "488", "500", "501", "502", "503");
        private static final Set<String> ERROR = Set.of("code", "description", "parameter", "message");

        private Answers() {}

        @SuppressWarnings("unchecked")
        static List<Map<String, Object>> data(String content) {
            Map<String, Object> envelope = folded((Map<String, Object>) Json.read(content));
            links(envelope);
            return ((List<Map<String, Object>>) envelope.get("data")).stream().map(Answers::folded).toList();
        }

        @SuppressWarnings("unchecked")
        static String errors(String content) {
            List<Map<String, Object>> errors =
                    (List<Map<String, Object>>) ((Map<String, Object>) Json.read(content)).get("errors");
            StringBuilder texts = new StringBuilder();
            for (Map<String, Object> error : errors) {
                if (!ERROR.containsAll(error.keySet())) {
                    throw new IllegalArgumentException("Unrecognized field among " + error.keySet());
                }
                texts.append(error.getOrDefault("message", error.get("description")));
            }
            return texts.toString();
        }

        static Map<String, Object> call(Map<String, Object> item) {
            among(item, "status", CALL);
            return known(item, "id", "status", "source", "destination", "createdAt", "updatedAt", "endedAt");
        }

        static Map<String, Object> leg(Map<String, Object> item) {
            among(item, "status", LEG);
            among(item, "direction", DIRECTION);
            among(item, "sipResponseCode", SIP);
            return known(item, "id", "callId", "source", "destination", "status", "direction", "cost", "currency", "duration",
                    "createdAt", "updatedAt", "answeredAt", "endedAt", "sipResponseCode");
        }

        /** What the others call status is read by its older name alone. */
        static Map<String, Object> recording(Map<String, Object> item) {
            if (item.get("format") == null || item.get("state") == null) {
                throw new IllegalArgumentException("this is no recording: " + item.keySet());
            }
            return known(item, "id", "format", "type", "legId", "state", "duration", "createdAt", "updatedAt");
        }

        static Map<String, Object> transcription(Map<String, Object> item) {
            return known(item, "id", "recordingId", "error", "createdAt", "updatedAt");
        }

        static Map<String, Object> webhook(Map<String, Object> item) {
            return known(item, "id", "url", "token", "createdAt", "updatedAt");
        }

        static Map<String, Object> flow(Map<String, Object> item) {
            return known(item, "id", "title", "record", "default", "steps", "createdAt", "updatedAt");
        }

        private static Map<String, Object> known(Map<String, Object> item, String... names) {
            links(item);
            Map<String, Object> found = new LinkedHashMap<>();
            for (String name : names) {
                if (item.containsKey(name)) {
                    found.put(name, item.get(name));
                }
            }
            return found;
        }

        private static void links(Map<String, Object> item) {
            if (item.get("_links") instanceof Map<?, ?> links) {
                for (Object link : links.values()) {
                    if (!(link instanceof String)) {
                        throw new IllegalArgumentException("a link is no string: " + link);
                    }
                }
            }
        }

        private static void among(Map<String, Object> item, String name, Set<String> values) {
            Object value = item.get(name);
            if (value != null && !values.contains(value.toString().toLowerCase(Locale.ROOT))) {
                throw new IllegalArgumentException(name + " is none of the library's: " + value);
            }
        }

        private static Map<String, Object> folded(Map<String, Object> item) {
            Map<String, Object> found = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
            found.putAll(item);
            return found;
        }
    }
}

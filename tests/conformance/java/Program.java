import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Calls every voice method of the Java library: java Program URL KEY IDS, one line of JSON for each. */
final class Program {
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    private final MessageBirdClient client;
    private final Map<String, String> ids;
    private final Path folder;
    private int told;

    @FunctionalInterface
    private interface Called<T> {
        T call() throws Exception;
    }

    @FunctionalInterface
    private interface Done {
        void call() throws Exception;
    }

    private Program(MessageBirdClient client, Map<String, String> ids, Path folder) {
        this.client = client;
        this.ids = ids;
        this.folder = folder;
    }

    @SuppressWarnings("unchecked")
    public static void main(String[] arguments) throws Exception {
        Path file = Path.of(arguments[2]);
        Map<String, String> ids = (Map<String, String>) Json.read(Files.readString(file));
        MessageBirdClient client = new MessageBirdClient(arguments[0], arguments[1]);
        Program program = new Program(client, ids, Files.createTempDirectory(file.getParent(), "java"));
        program.aboutCalls();
        program.aboutRecordings();
        program.aboutTranscriptions();
        program.aboutFlows();
        program.aboutWebhooks();
        program.refused("an unknown id", () -> client.viewVoiceCall(ids.get("unknown")));
        program.refused("a missing value", () -> client.sendVoiceCallFlow(flow("No steps", List.of())));
        MessageBirdClient stranger = new MessageBirdClient(arguments[0], "test_of_nobody");
        program.refused("a wrong key", () -> stranger.listAllVoiceCalls(null, null));
    }

    private void aboutCalls() throws Exception {
        Map<String, Object> asked = new LinkedHashMap<>();
        asked.put("source", ids.get("source"));
        asked.put("destination", ids.get("destination"));
        asked.put("callFlow", flow(null, steps()));
        Map<String, Object> made = attempt("sendVoiceCall", () -> client.sendVoiceCall(asked, Map.of()));
        attempt("listAllVoiceCalls", () -> client.listAllVoiceCalls(1, 100));
        attempt("listAllVoiceCalls without arguments", () -> client.listAllVoiceCalls(null, null));
        attempt("viewVoiceCall", () -> client.viewVoiceCall(ids.get("call")));
        done("deleteVoiceCall", () -> client.deleteVoiceCall((String) made.get("id")));
        attempt("viewCallLegsByCallId", () -> client.viewCallLegsByCallId(ids.get("call"), 1, 10));
        attempt("viewCallLegByCallIdAndLegId", () -> client.viewCallLegByCallIdAndLegId(ids.get("call"), ids.get("leg")));
    }

    private void aboutRecordings() {
        String call = ids.get("call");
        String leg = ids.get("leg");
        String recording = ids.get("recording");
        attempt("viewRecording", () -> client.viewRecording(call, leg, recording));
        attempt("listRecordings", () -> client.listRecordings(call, leg, 0, 0));
        attempt("downloadRecording", () -> sound(Files.readAllBytes(client.downloadRecording(call, leg, recording, folder))));
    }

    private void aboutTranscriptions() {
        String call = ids.get("call");
        String leg = ids.get("leg");
        String recording = ids.get("recording");
        String id = ids.get("transcription");
        attempt("createTranscription", () -> client.createTranscription(call, leg, recording, "en-US"));
        attempt("viewTranscription", () -> client.viewTranscription(call, leg, recording, id));
        attempt("listTranscriptions", () -> client.listTranscriptions(call, leg, recording, 1, 10));
        attempt(
                "downloadTranscription",
                () -> Files.readString(client.downloadTranscription(call, leg, recording, id, folder)));
        done("deleteRecording", () -> client.deleteRecording(call, leg, recording));
    }

    private void aboutFlows() throws Exception {
        Map<String, Object> made = attempt("sendVoiceCallFlow", () -> client.sendVoiceCallFlow(flow("Made", steps())));
        attempt("listVoiceCallFlows", () -> client.listVoiceCallFlows(0, 0));
        attempt("viewVoiceCallFlow", () -> client.viewVoiceCallFlow((String) made.get("id")));
        attempt(
                "updateVoiceCallFlow",
                () -> client.updateVoiceCallFlow((String) made.get("id"), flow("Changed", steps())));
        done("deleteVoiceCallFlow", () -> client.deleteVoiceCallFlow((String) made.get("id")));
    }

    private void aboutWebhooks() throws Exception {
        Map<String, Object> made = attempt("createWebhook", () -> client.createWebhook(webhook("first")));
        attempt("listWebhooks", () -> client.listWebhooks(0, 10));
        attempt("viewWebhook", () -> client.viewWebhook((String) made.get("id")));
        attempt("updateWebhook", () -> client.updateWebhook((String) made.get("id"), webhook("second")));
        done("deleteWebhook", () -> client.deleteWebhook((String) made.get("id")));
    }

    private static List<Object> steps() {
        Map<String, Object> said = new LinkedHashMap<>();
        said.put("payload", "Hello.");
        said.put("language", "en-GB");
        said.put("voice", "female");
        return List.of(step("say", said), step("pause", Map.of("length", 60)));
    }

    private static Map<String, Object> step(String action, Map<String, Object> set) {
        Map<String, Object> step = new LinkedHashMap<>();
        step.put("action", action);
        step.put("options", MessageBirdClient.options(set));
        return step;
    }

    private static Map<String, Object> flow(String title, List<Object> steps) {
        Map<String, Object> flow = new LinkedHashMap<>();
        if (title != null) {
            flow.put("title", title);
        }
        flow.put("record", false);
        flow.put("default", false);
        flow.put("maxDuration", 0);
        flow.put("steps", steps);
        return flow;
    }

    private Map<String, Object> webhook(String token) {
        Map<String, Object> webhook = new LinkedHashMap<>();
        webhook.put("url", ids.get("webhook"));
        webhook.put("token", token);
        return webhook;
    }

    private static Map<String, Object> sound(byte[] whole) throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(whole);
        return Map.of("bytes", whole.length, "sha256", HexFormat.of().formatHex(digest));
    }

    private <T> T attempt(String method, Called<T> called) {
        try {
            T found = called.call();
            tell(method, "works", "", found);
            return found;
        } catch (Exception thrown) {
            tell(method, "fails", thrown.getClass().getSimpleName() + ": " + thrown.getMessage(), null);
            return null;
        }
    }

    private void done(String method, Done done) {
        attempt(method, () -> {
            done.call();
            return true;
        });
    }

    /** An error of the server, as the library tells it. */
    private void refused(String method, Called<?> called) {
        try {
            called.call();
            tell(method, "fails", "nothing was raised", null);
        } catch (MessageBirdClient.GeneralException thrown) {
            tell(method, "works", thrown.getMessage(), null);
        } catch (Exception thrown) {
            tell(method, "fails", thrown.getClass().getSimpleName() + ": " + thrown.getMessage(), null);
        }
    }

    private void tell(String method, String result, String detail, Object read) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("method", method);
        line.put("result", result);
        line.put("detail", detail);
        line.put("sent", MessageBirdClient.sent - told);
        line.put("read", read);
        told = MessageBirdClient.sent;
        OUT.println(Json.write(line));
    }
}

// What the C# library (MessageBird 4.0.1) sends about calls, and how it reads the answers.
//
// Written from the wire contract (§1, §2.1, §3, §6.6), not from the library. What the library does wrong is done wrong here too.

using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Text;
using System.Web.Script.Serialization;

namespace MessageBird
{
    using Item = Dictionary<string, object>;

    /// <summary>What the server told of an error.</summary>
    public sealed class ErrorException : Exception
    {
        public ErrorException(string message) : base(message) { }
    }

    public sealed class Client
    {
        private static readonly HashSet<string> CallStatus = new HashSet<string> { "queued", "starting", "ongoing", "ended" };
        private static readonly HashSet<int> Readable = new HashSet<int> { 401, 404, 405, 422 };
        private static readonly JavaScriptSerializer Json = new JavaScriptSerializer();

        /// <summary>How many requests were sent by whichever client.</summary>
        public static int Sent;

        private readonly string baseUrl;
        private readonly string accessKey;

        public Client(string baseUrl, string accessKey)
        {
            this.baseUrl = baseUrl;
            this.accessKey = accessKey;
        }

        /// <summary>A call has a duration, which is sent, too.</summary>
        public Item CreateCall(string source, string destination, Item flow, Item webhook)
        {
            return Call(Create("calls", Objects.Made(
                "source", source, "destination", destination, "callFlow", flow, "webhook", webhook, "duration", 0)));
        }

        public List<Item> ListCalls(int limit = 20, int page = 0)
        {
            return List("calls", limit, page).Select(Call).ToList();
        }

        public Item ViewCall(string id)
        {
            return Call(View("calls/" + id));
        }

        public void DeleteCall(string id)
        {
            Delete("calls/" + id);
        }

        public Item CreateCallFlow(Item flow)
        {
            return Create("call-flows", flow);
        }

        public List<Item> ListCallFlows(int limit = 20, int page = 0)
        {
            return List("call-flows", limit, page);
        }

        public Item ViewCallFlow(string id)
        {
            return View("call-flows/" + id);
        }

        /// <summary>The body has the id as well.</summary>
        public Item UpdateCallFlow(string id, Item flow)
        {
            var body = Objects.Made("id", id);
            foreach (var pair in flow)
            {
                body[pair.Key] = pair.Value;
            }
            return Update("call-flows/" + id, body);
        }

        public void DeleteCallFlow(string id)
        {
            Delete("call-flows/" + id);
        }

        public List<Item> ListRecordings(string call, string leg, int limit = 20, int page = 0)
        {
            return List(Recordings(call, leg), limit, page);
        }

        public Item ViewRecording(string call, string leg, string recording)
        {
            return View(Recordings(call, leg) + "/" + recording);
        }

        public byte[] DownloadRecording(string call, string leg, string recording)
        {
            return Ask("GET", Recordings(call, leg) + "/" + recording + ".wav", null, 200);
        }

        public void DeleteRecording(string call, string leg, string recording)
        {
            Delete(Recordings(call, leg) + "/" + recording);
        }

        public Item CreateTranscription(string call, string leg, string recording, string language)
        {
            return Create(Transcriptions(call, leg, recording) + "/", Objects.Made("Language", language));
        }

        public List<Item> ListTranscriptions(string call, string leg, string recording, int limit = 20, int page = 0)
        {
            return List(Transcriptions(call, leg, recording), limit, page);
        }

        public Item ViewTranscription(string call, string leg, string recording, string id)
        {
            return View(Transcriptions(call, leg, recording) + "/" + id);
        }

        public byte[] DownloadTranscription(string call, string leg, string recording, string id)
        {
            return Ask("GET", Transcriptions(call, leg, recording) + "/" + id + ".txt", null, 200);
        }

        public Item CreateWebhook(Item webhook)
        {
            return Create("webhooks", webhook);
        }

        public List<Item> ListWebhooks(int limit = 20, int page = 0)
        {
            return List("webhooks", limit, page);
        }

        public Item ViewWebhook(string id)
        {
            return View("webhooks/" + id);
        }

        public Item UpdateWebhook(string id, Item webhook)
        {
            return Update("webhooks/" + id, webhook);
        }

        public void DeleteWebhook(string id)
        {
            Delete("webhooks/" + id);
        }

        private static string Recordings(string call, string leg)
        {
            return "calls/" + call + "/legs/" + leg + "/recordings";
        }

        private static string Transcriptions(string call, string leg, string recording)
        {
            return Recordings(call, leg) + "/" + recording + "/transcriptions";
        }

        /// <summary>A status beyond the four that the library has a name for cannot be read, nor can a duration of null.</summary>
        private static Item Call(Item item)
        {
            object duration;
            if (!CallStatus.Contains((string)item["status"]) || (item.TryGetValue("duration", out duration) && duration == null))
            {
                throw new InvalidCastException("this is no call of the library's: " + Json.Serialize(item));
            }
            return item;
        }

        private Item Create(string path, Item body)
        {
            return Items(Ask("POST", path, body, 201))[0];
        }

        private Item Update(string path, Item body)
        {
            return Items(Ask("PUT", path, body, 200))[0];
        }

        private Item View(string path)
        {
            return Items(Ask("GET", path, null, 200))[0];
        }

        /// <summary>The first page is number 0.</summary>
        private List<Item> List(string path, int limit, int page)
        {
            return Items(Ask("GET", path + "?limit=" + limit + "&page=" + page, null, 200));
        }

        private void Delete(string path)
        {
            Ask("DELETE", path, null, 204);
        }

        private static List<Item> Items(byte[] content)
        {
            var envelope = Json.Deserialize<Item>(Encoding.UTF8.GetString(content));
            Links(envelope);
            var items = ((ArrayList)envelope["data"]).Cast<Item>().ToList();
            items.ForEach(Links);
            return items;
        }

        private static void Links(Item item)
        {
            object links;
            if (item.TryGetValue("_links", out links) && ((Item)links).Values.Any(link => !(link is string)))
            {
                throw new InvalidCastException("a link is no string");
            }
        }

        private byte[] Ask(string method, string path, Item body, int expected)
        {
            var request = (HttpWebRequest)WebRequest.Create(baseUrl + "/" + path);
            request.Method = method;
            request.Accept = "application/json";
            request.ContentType = "application/json";
            request.UserAgent = "MessageBird/ApiClient/2.0 DotNet/3.1.0.0";
            request.Headers.Add("Authorization", "AccessKey " + accessKey);
            Sent++;
            if (body != null)
            {
                var sent = Encoding.UTF8.GetBytes(Json.Serialize(body));
                using (var stream = request.GetRequestStream())
                {
                    stream.Write(sent, 0, sent.Length);
                }
            }
            try
            {
                using (var response = (HttpWebResponse)request.GetResponse())
                {
                    if ((int)response.StatusCode != expected)
                    {
                        throw new ErrorException("Unexpected status code " + response.StatusCode);
                    }
                    return Content(response);
                }
            }
            catch (WebException thrown) when (thrown.Response != null)
            {
                using (var response = (HttpWebResponse)thrown.Response)
                {
                    throw new ErrorException(Told((int)response.StatusCode, Content(response)));
                }
            }
            catch (WebException thrown) when (expected == 204 && thrown.Status == WebExceptionStatus.SendFailure)
            {
                // Mono's alone: it is done with an answer that has no content before it has noted that it sent the request,
                // and takes the line that it closes itself for broken. The tests ask the server what came of it.
                return new byte[0];
            }
        }

        private static byte[] Content(HttpWebResponse response)
        {
            using (var content = new MemoryStream())
            using (var stream = response.GetResponseStream())
            {
                stream.CopyTo(content);
                return content.ToArray();
            }
        }

        /// <summary>The body is a map of lists: with anything else in it the errors are lost.</summary>
        private static string Told(int status, byte[] content)
        {
            if (!Readable.Contains(status))
            {
                return "Unexpected status code " + status;
            }
            var body = Json.Deserialize<Item>(Encoding.UTF8.GetString(content));
            if (body.Values.Any(value => value != null && !(value is ArrayList)))
            {
                return "Failed to parse the errors";
            }
            return string.Join(", ", ((ArrayList)body["errors"]).Cast<Item>().Select(error => error["description"]));
        }
    }

    public static class Objects
    {
        /// <summary>An object of names and values in turn.</summary>
        public static Item Made(params object[] pairs)
        {
            var made = new Item();
            for (var at = 0; at < pairs.Length; at += 2)
            {
                made[(string)pairs[at]] = pairs[at + 1];
            }
            return made;
        }
    }
}

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text;
using System.Web.Script.Serialization;
using MessageBird;

/// <summary>Calls every voice method of the C# library: program URL KEY IDS, one line of JSON for each.</summary>
public sealed class Program
{
    private static readonly JavaScriptSerializer Json = new JavaScriptSerializer();

    private readonly Client client;
    private readonly Dictionary<string, string> ids;
    private readonly TextWriter lines;
    private int told;

    private Program(Client client, Dictionary<string, string> ids, TextWriter lines)
    {
        this.client = client;
        this.ids = ids;
        this.lines = lines;
    }

    public static void Main(string[] arguments)
    {
        var ids = Json.Deserialize<Dictionary<string, string>>(File.ReadAllText(arguments[2]));
        using (var lines = new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false)) { NewLine = "\n" })
        {
            var client = new Client(arguments[0], arguments[1]);
            var program = new Program(client, ids, lines);
            program.AboutCalls();
            program.AboutRecordings();
            program.AboutTranscriptions();
            program.AboutFlows();
            program.AboutWebhooks();
            program.Refused("an unknown id", () => client.ViewCall(ids["unknown"]));
            program.Refused("a missing value", () => client.CreateCallFlow(Flow("No steps")));
            program.Refused("a wrong key", () => new Client(arguments[0], "test_of_nobody").ListCalls());
        }
    }

    private void AboutCalls()
    {
        var webhook = Webhook("first");
        var made = Attempt(
            "CreateCall", () => client.CreateCall(ids["source"], ids["destination"], Flow("Call", Transfer()), webhook));
        Attempt("ListCalls", () => client.ListCalls());
        Attempt("ViewCall", () => client.ViewCall(ids["call"]));
        Done("DeleteCall", () => client.DeleteCall((string)made["id"]));
    }

    private void AboutRecordings()
    {
        string call = ids["call"], leg = ids["leg"], recording = ids["recording"];
        Attempt("ListRecordings", () => client.ListRecordings(call, leg));
        Attempt("ViewRecording", () => client.ViewRecording(call, leg, recording));
        Attempt("DownloadRecording", () => Sound(client.DownloadRecording(call, leg, recording)));
    }

    private void AboutTranscriptions()
    {
        string call = ids["call"], leg = ids["leg"], recording = ids["recording"], id = ids["transcription"];
        Attempt("CreateTranscription", () => client.CreateTranscription(call, leg, recording, "en-US"));
        Attempt("ListTranscriptions", () => client.ListTranscriptions(call, leg, recording));
        Attempt("ViewTranscription", () => client.ViewTranscription(call, leg, recording, id));
        Attempt(
            "DownloadTranscription",
            () => Encoding.UTF8.GetString(client.DownloadTranscription(call, leg, recording, id)));
        Done("DeleteRecording", () => client.DeleteRecording(call, leg, recording));
    }

    private void AboutFlows()
    {
        var made = Attempt("CreateCallFlow", () => client.CreateCallFlow(Flow("Made", Transfer())));
        Attempt("ListCallFlows", () => client.ListCallFlows());
        Attempt("ViewCallFlow", () => client.ViewCallFlow((string)made["id"]));
        Attempt("UpdateCallFlow", () => client.UpdateCallFlow((string)made["id"], Flow("Changed", Transfer())));
        Done("DeleteCallFlow", () => client.DeleteCallFlow((string)made["id"]));
    }

    private void AboutWebhooks()
    {
        var made = Attempt("CreateWebhook", () => client.CreateWebhook(Webhook("first")));
        Attempt("ListWebhooks", () => client.ListWebhooks());
        Attempt("ViewWebhook", () => client.ViewWebhook((string)made["id"]));
        Attempt("UpdateWebhook", () => client.UpdateWebhook((string)made["id"], Webhook("second")));
        Done("DeleteWebhook", () => client.DeleteWebhook((string)made["id"]));
    }

    /// <summary>Of the options of steps the library knows the destination alone.</summary>
    private Dictionary<string, object> Transfer()
    {
        return Objects.Made("action", "transfer", "options", Objects.Made("destination", ids["destination"]));
    }

    private static Dictionary<string, object> Flow(string title, params object[] steps)
    {
        return Objects.Made("title", title, "record", false, "steps", steps);
    }

    private Dictionary<string, object> Webhook(string token)
    {
        return Objects.Made("url", ids["webhook"], "token", token);
    }

    private static Dictionary<string, object> Sound(byte[] whole)
    {
        using (var digest = SHA256.Create())
        {
            var sum = string.Concat(digest.ComputeHash(whole).Select(one => one.ToString("x2")));
            return Objects.Made("bytes", whole.Length, "sha256", sum);
        }
    }

    private T Attempt<T>(string method, Func<T> called)
    {
        try
        {
            var found = called();
            Tell(method, "works", "", found);
            return found;
        }
        catch (Exception thrown)
        {
            Tell(method, "fails", thrown.GetType().Name + ": " + thrown.Message, null);
            return default(T);
        }
    }

    private void Done(string method, Action called)
    {
        Attempt(method, () =>
        {
            called();
            return true;
        });
    }

    /// <summary>An error of the server, as the library tells it.</summary>
    private void Refused(string method, Action called)
    {
        try
        {
            called();
            Tell(method, "fails", "nothing was raised", null);
        }
        catch (ErrorException thrown)
        {
            Tell(method, "works", thrown.Message, null);
        }
        catch (Exception thrown)
        {
            Tell(method, "fails", thrown.GetType().Name + ": " + thrown.Message, null);
        }
    }

    private void Tell(string method, string result, string detail, object read)
    {
        lines.WriteLine(Json.Serialize(Objects.Made(
            "method", method, "result", result, "detail", detail, "sent", Client.Sent - told, "read", read)));
        told = Client.Sent;
    }
}

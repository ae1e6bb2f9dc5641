package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"
)

// here is what a customer makes of the library: the host it asks for is another, and everything else stays as it is.
type here struct {
	scheme, host string
	sent         int
}

func (h *here) RoundTrip(request *http.Request) (*http.Response, error) {
	moved := request.Clone(request.Context())
	moved.URL.Scheme, moved.URL.Host = h.scheme, h.host
	h.sent++
	return http.DefaultTransport.RoundTrip(moved)
}

var (
	transport *here
	told      int
)

func tell(method, result, detail string, read any) {
	line := map[string]any{"method": method, "result": result, "detail": detail, "sent": transport.sent - told, "read": read}
	told = transport.sent
	encoded, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(encoded))
}

func attempt[T any](method string, found T, err error) T {
	if err != nil {
		tell(method, "fails", err.Error(), nil)
	} else {
		tell(method, "works", "", found)
	}
	return found
}

func done(method string, err error) {
	attempt(method, true, err)
}

// listed has the whole of a list.
func listed[T any](method string, asked *list[T]) []T {
	found, err := asked.all()
	return attempt(method, found, err)
}

// refused is an error of the server, as the library tells it.
func refused(method string, err error) {
	var response errorResponse
	if errors.As(err, &response) {
		tell(method, "works", err.Error(), nil)
	} else {
		tell(method, "fails", fmt.Sprint(err), nil)
	}
}

type sound struct {
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func digest(whole []byte) sound {
	sum := sha256.Sum256(whole)
	return sound{len(whole), hex.EncodeToString(sum[:])}
}

// A leg that was answered and is over cannot have been answered when it ended.
func legsOf(c *client, id string) {
	found, err := call{ID: id}.legs(c).all()
	if err == nil && len(found) > 0 && found[0].EndedAt != nil && found[0].AnsweredAt.Equal(*found[0].EndedAt) {
		tell("(*Call).Legs", "defect", "AnsweredAt is EndedAt", found)
		return
	}
	attempt("(*Call).Legs", found, err)
}

// main calls every voice function of the Go library: program URL KEY IDS, one line of JSON for each.
func main() {
	base, err := url.Parse(os.Args[1])
	if err != nil {
		panic(err)
	}
	content, err := os.ReadFile(os.Args[3])
	if err != nil {
		panic(err)
	}
	var ids map[string]string
	if err := json.Unmarshal(content, &ids); err != nil {
		panic(err)
	}
	transport = &here{scheme: base.Scheme, host: base.Host}
	c := &client{os.Args[2], &http.Client{Transport: transport}}

	aboutCalls(c, ids)
	aboutRecordings(c, ids)
	aboutFlows(c)
	aboutWebhooks(c, ids["webhook"])

	_, err = callByID(c, ids["unknown"])
	refused("an unknown id", err)
	_, err = callFlow{Title: "No steps"}.create(c)
	refused("a missing value", err)
	_, err = calls(&client{"test_of_nobody", c.http}).all()
	refused("a wrong key", err)
}

func aboutCalls(c *client, ids map[string]string) {
	flow := callFlow{Steps: []step{
		{Action: "say", Options: sayOptions{Payload: "Hello.", Voice: "female", Language: "en-GB"}},
		{Action: "pause", Options: pauseOptions{Length: 60}},
	}}
	made, err := initiateCall(c, ids["source"], ids["destination"], flow, &notified{URL: ids["webhook"], Token: "first"})
	attempt("InitiateCall", made, err)
	listed("Calls", calls(c))
	found, err := callByID(c, ids["call"])
	attempt("CallByID", found, err)
	done("(*Call).Delete", made.delete(c))
	legsOf(c, ids["call"])
}

func aboutRecordings(c *client, ids map[string]string) {
	callID, legID := ids["call"], ids["leg"]
	listed("(*Leg).Recordings", leg{ID: legID, CallID: callID}.recordings(c))
	listed("Recordings", recordings(c, callID, legID))
	found, err := readRecording(c, callID, legID, ids["recording"])
	attempt("ReadRecording", found, err)
	content, err := found.downloadFile(c)
	attempt("(*Recording).DownloadFile", digest(content), err)
	made, err := createTranscription(c, callID, legID, ids["recording"])
	attempt("CreateTranscription", made, err)
	for _, one := range listed("(*Recording).Transcriptions", found.transcriptions(c)) {
		if one.ID == ids["transcription"] {
			content, err := one.contents(c)
			attempt("(*Transcription).Contents", string(content), err)
		}
	}
	done("Delete", deleteRecording(c, callID, legID, ids["recording"]))
}

func aboutFlows(c *client) {
	flow := callFlow{Title: "Made", Steps: []step{
		{Action: "say", Options: sayOptions{Payload: "After the tone.", Language: "en-GB", Repeat: 2}},
		{Action: "pause", Options: pauseOptions{Length: 1}},
		{Action: "record", Options: recordOptions{MaxLength: 10 * time.Second, Timeout: 2 * time.Second}},
		{Action: "hangup"},
	}}
	made, err := flow.create(c)
	attempt("(*CallFlow).Create", made, err)
	listed("CallFlows", callFlows(c))
	found, err := callFlowByID(c, made.ID)
	attempt("CallFlowByID", found, err)
	found.Title = "Changed"
	changed, err := found.update(c)
	attempt("(*CallFlow).Update", changed, err)
	done("(*CallFlow).Delete", found.delete(c))
}

func aboutWebhooks(c *client, address string) {
	made, err := createWebhook(c, address, "first")
	attempt("CreateWebHook", made, err)
	listed("Webhooks", webhooks(c))
	made.Token = "second"
	changed, err := made.update(c)
	attempt("(*Webhook).Update", changed, err)
	done("(*Webhook).Delete", made.delete(c))
}

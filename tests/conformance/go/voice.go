package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

type call struct {
	ID          string            `json:"id"`
	Status      string            `json:"status"`
	Source      string            `json:"source"`
	Destination string            `json:"destination"`
	NumberID    string            `json:"numberId,omitempty"`
	CreatedAt   time.Time         `json:"createdAt"`
	UpdatedAt   time.Time         `json:"updatedAt"`
	EndedAt     *time.Time        `json:"endedAt"`
	Links       map[string]string `json:"_links,omitempty"`
}

// UnmarshalJSON fails without both dates.
func (c *call) UnmarshalJSON(data []byte) error {
	type plain call
	return withDates(data, (*plain)(c), &c.CreatedAt, &c.UpdatedAt)
}

type leg struct {
	ID          string            `json:"id"`
	CallID      string            `json:"callId"`
	Source      string            `json:"source"`
	Destination string            `json:"destination"`
	Status      string            `json:"status"`
	Direction   string            `json:"direction"`
	Cost        float64           `json:"cost"`
	Currency    string            `json:"currency"`
	Duration    int               `json:"duration"`
	CreatedAt   time.Time         `json:"createdAt"`
	UpdatedAt   time.Time         `json:"updatedAt"`
	AnsweredAt  *time.Time        `json:"answeredAt"`
	EndedAt     *time.Time        `json:"endedAt"`
	Links       map[string]string `json:"_links,omitempty"`
}

// UnmarshalJSON takes the end for the time of the answer.
func (l *leg) UnmarshalJSON(data []byte) error {
	type plain leg
	if err := withDates(data, (*plain)(l), &l.CreatedAt, &l.UpdatedAt); err != nil {
		return err
	}
	l.AnsweredAt = l.EndedAt
	return nil
}

type recording struct {
	ID        string            `json:"id"`
	Format    string            `json:"format"`
	LegID     string            `json:"legId"`
	Status    string            `json:"status"`
	Duration  int               `json:"duration"`
	CreatedAt time.Time         `json:"createdAt"`
	UpdatedAt time.Time         `json:"updatedAt"`
	DeletedAt *time.Time        `json:"deletedAt"`
	Links     map[string]string `json:"_links,omitempty"`
}

func (r *recording) UnmarshalJSON(data []byte) error {
	type plain recording
	return withDates(data, (*plain)(r), &r.CreatedAt, &r.UpdatedAt)
}

type transcription struct {
	ID          string            `json:"id"`
	RecordingID string            `json:"recordingId"`
	Status      string            `json:"status"`
	CreatedAt   time.Time         `json:"createdAt"`
	UpdatedAt   time.Time         `json:"updatedAt"`
	Links       map[string]string `json:"_links,omitempty"`
}

func (t *transcription) UnmarshalJSON(data []byte) error {
	type plain transcription
	return withDates(data, (*plain)(t), &t.CreatedAt, &t.UpdatedAt)
}

// A notified is the webhook that comes with a call.
type notified struct {
	URL   string `json:"url"`
	Token string `json:"token,omitempty"`
}

// A webhook is sent whole.
type webhook struct {
	ID        string    `json:"id,omitempty"`
	URL       string    `json:"url"`
	Token     string    `json:"token,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

func (w *webhook) UnmarshalJSON(data []byte) error {
	type plain webhook
	return withDates(data, (*plain)(w), &w.CreatedAt, &w.UpdatedAt)
}

// A callFlow is sent with its dates even where it has none.
type callFlow struct {
	ID        string    `json:"id,omitempty"`
	Title     string    `json:"title,omitempty"`
	Record    bool      `json:"record"`
	Default   bool      `json:"default"`
	Steps     []step    `json:"steps"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

func (f *callFlow) UnmarshalJSON(data []byte) error {
	type plain callFlow
	return withDates(data, (*plain)(f), &f.CreatedAt, &f.UpdatedAt)
}

type step struct {
	ID      string `json:"id,omitempty"`
	Action  string `json:"action"`
	Options any    `json:"options,omitempty"`
}

type sayOptions struct {
	Payload  string `json:"payload"`
	Voice    string `json:"voice,omitempty"`
	Language string `json:"language,omitempty"`
	Repeat   int    `json:"Repeat,omitempty"`
}

type playOptions struct {
	Media string `json:"media"`
}

type pauseOptions struct {
	Length int `json:"length"`
}

// recordOptions have their lengths in nanoseconds.
type recordOptions struct {
	MaxLength          time.Duration `json:"maxLength"`
	Timeout            time.Duration `json:"timeout"`
	FinishOnKey        string        `json:"finishOnKey"`
	Transcribe         bool          `json:"transcribe"`
	TranscribeLanguage string        `json:"transcribeLanguage"`
	OnFinish           string        `json:"onFinish"`
}

type transferOptions struct {
	Destination string `json:"destination"`
	Record      string `json:"record,omitempty"`
	Mask        bool   `json:"mask,omitempty"`
}

type fetchOptions struct {
	URL string `json:"url"`
}

// UnmarshalJSON knows seven actions, and fails at any other.
func (s *step) UnmarshalJSON(data []byte) error {
	var base struct {
		ID      string          `json:"id"`
		Action  string          `json:"action"`
		Options json.RawMessage `json:"options"`
	}
	if err := json.Unmarshal(data, &base); err != nil {
		return err
	}
	s.ID, s.Action = base.ID, base.Action
	switch base.Action {
	case "say":
		s.Options = new(sayOptions)
	case "play":
		s.Options = new(playOptions)
	case "pause":
		s.Options = new(pauseOptions)
	case "record":
		s.Options = new(recordOptions)
	case "transfer":
		s.Options = new(transferOptions)
	case "fetchCallFlow":
		s.Options = new(fetchOptions)
	case "hangup":
		return nil
	default:
		return fmt.Errorf("unknown step action: %q", base.Action)
	}
	if base.Options == nil {
		return nil
	}
	return json.Unmarshal(base.Options, s.Options)
}

// withDates decodes both dates, which a plain field would take null and nothing for.
func withDates(data []byte, found any, createdAt, updatedAt *time.Time) error {
	if err := json.Unmarshal(data, found); err != nil {
		return err
	}
	var dates struct {
		CreatedAt string `json:"createdAt"`
		UpdatedAt string `json:"updatedAt"`
	}
	if err := json.Unmarshal(data, &dates); err != nil {
		return err
	}
	var err error
	if *createdAt, err = time.Parse(time.RFC3339, dates.CreatedAt); err != nil {
		return fmt.Errorf("unable to parse CreatedAt: %v", err)
	}
	if *updatedAt, err = time.Parse(time.RFC3339, dates.UpdatedAt); err != nil {
		return fmt.Errorf("unable to parse UpdatedAt: %v", err)
	}
	return nil
}

func initiateCall(c *client, source, destination string, flow callFlow, hook *notified) (call, error) {
	body := struct {
		Source      string    `json:"source"`
		Destination string    `json:"destination"`
		CallFlow    callFlow  `json:"callflow"`
		Webhook     *notified `json:"webhook,omitempty"`
	}{source, destination, flow, hook}
	return one[call](c, http.MethodPost, apiRoot+"/calls", body)
}

func callByID(c *client, id string) (call, error) {
	return one[call](c, http.MethodGet, apiRoot+"/calls/"+id, nil)
}

func calls(c *client) *list[call] {
	return paginate[call](c, apiRoot+"/calls/")
}

func (c call) delete(client *client) error {
	return client.request(nil, http.MethodDelete, apiRoot+"/calls/"+c.ID, nil)
}

func (c call) legs(client *client) *list[leg] {
	return paginate[leg](client, apiRoot+"/calls/"+c.ID+"/legs")
}

func recordingsPath(callID, legID string) string {
	return fmt.Sprintf("%s/calls/%s/legs/%s/recordings", apiRoot, callID, legID)
}

func (l leg) recordings(c *client) *list[recording] {
	return recordings(c, l.CallID, l.ID)
}

func recordings(c *client, callID, legID string) *list[recording] {
	return paginate[recording](c, recordingsPath(callID, legID))
}

func readRecording(c *client, callID, legID, id string) (recording, error) {
	return one[recording](c, http.MethodGet, recordingsPath(callID, legID)+"/"+id, nil)
}

func deleteRecording(c *client, callID, legID, id string) error {
	return c.request(nil, http.MethodDelete, recordingsPath(callID, legID)+"/"+id, nil)
}

func (r recording) downloadFile(c *client) ([]byte, error) {
	return c.download(r.Links["file"], "audio/*")
}

func (r recording) transcriptions(c *client) *list[transcription] {
	return paginate[transcription](c, apiRoot+r.Links["self"]+"/transcriptions")
}

func createTranscription(c *client, callID, legID, id string) (transcription, error) {
	return one[transcription](c, http.MethodPost, recordingsPath(callID, legID)+"/"+id+"/transcriptions", struct{}{})
}

func (t transcription) contents(c *client) ([]byte, error) {
	return c.download(t.Links["file"], "text/plain")
}

func callFlowByID(c *client, id string) (callFlow, error) {
	return one[callFlow](c, http.MethodGet, apiRoot+"/call-flows/"+id, nil)
}

func callFlows(c *client) *list[callFlow] {
	return paginate[callFlow](c, apiRoot+"/call-flows/")
}

func (f callFlow) create(c *client) (callFlow, error) {
	return one[callFlow](c, http.MethodPost, apiRoot+"/call-flows/", f)
}

func (f callFlow) update(c *client) (callFlow, error) {
	return one[callFlow](c, http.MethodPut, apiRoot+"/call-flows/"+f.ID, f)
}

func (f callFlow) delete(c *client) error {
	return c.request(nil, http.MethodDelete, apiRoot+"/call-flows/"+f.ID, nil)
}

func webhooks(c *client) *list[webhook] {
	return paginate[webhook](c, apiRoot+"/webhooks/")
}

func createWebhook(c *client, url, token string) (webhook, error) {
	return one[webhook](c, http.MethodPost, apiRoot+"/webhooks/", webhook{URL: url, Token: token})
}

func (w webhook) update(c *client) (webhook, error) {
	return one[webhook](c, http.MethodPut, apiRoot+"/webhooks/"+w.ID, w)
}

func (w webhook) delete(c *client) error {
	return c.request(nil, http.MethodDelete, apiRoot+"/webhooks/"+w.ID, nil)
}

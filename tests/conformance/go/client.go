// What the Go library (github.com/messagebird/go-rest-api/v9) sends about calls, and how it reads the answers.
//
// Written from the wire contract (§1, §3, §5.1, §6.3), not from the library. What the library does wrong is done wrong here too.

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
)

const (
	clientVersion = "9.0.0"
	apiRoot       = "https://voice.messagebird.com/v1"
)

var errUnexpected = errors.New("unexpected response from server")

// An errorResponse is what the server told of, with any status but those that mean success and 500.
type errorResponse struct {
	Errors []struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"errors"`
}

func (e errorResponse) Error() string {
	texts := make([]string, len(e.Errors))
	for i, one := range e.Errors {
		texts[i] = fmt.Sprintf("code: %d, message: %q", one.Code, one.Message)
	}
	return "API errors: " + strings.Join(texts, ", ")
}

type client struct {
	accessKey string
	http      *http.Client
}

// request has its answer decoded into found, and fails where that cannot be.
func (c *client) request(found any, method, path string, data any) error {
	var body io.Reader
	if data != nil {
		encoded, err := json.Marshal(data)
		if err != nil {
			return err
		}
		body = bytes.NewReader(encoded)
	}
	request, err := http.NewRequest(method, path, body)
	if err != nil {
		return err
	}
	c.introduce(request, "application/json")
	if data != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	switch response.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted:
		return json.Unmarshal(content, found)
	case http.StatusNoContent:
		return nil
	case http.StatusInternalServerError:
		return errUnexpected
	default:
		var told errorResponse
		if err := json.Unmarshal(content, &told); err != nil {
			return err
		}
		return told
	}
}

// download returns what a link leads to.
func (c *client) download(link, accept string) ([]byte, error) {
	request, err := http.NewRequest(http.MethodGet, apiRoot+link, nil)
	if err != nil {
		return nil, err
	}
	c.introduce(request, accept)
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("bad HTTP status: %d", response.StatusCode)
	}
	return io.ReadAll(response.Body)
}

func (c *client) introduce(request *http.Request, accept string) {
	request.Header.Set("Accept", accept)
	request.Header.Set("Authorization", "AccessKey "+c.accessKey)
	request.Header.Set("User-Agent", "MessageBird/ApiClient/"+clientVersion+" Go/"+runtime.Version())
}

// A list has its pages asked for one by one.
type list[T any] struct {
	client *client
	path   string
	page   int
	pages  int
}

func paginate[T any](c *client, path string) *list[T] {
	return &list[T]{client: c, path: path, pages: -1}
}

// next returns io.EOF behind the last page, of which it learns by a page that is past it.
func (l *list[T]) next() ([]T, error) {
	if l.pages >= 0 && l.page > l.pages {
		return nil, io.EOF
	}
	l.page++
	var found struct {
		Data       []T `json:"data"`
		Pagination struct {
			PageCount int `json:"pageCount"`
		} `json:"pagination"`
	}
	if err := l.client.request(&found, http.MethodGet, fmt.Sprintf("%s?page=%d", l.path, l.page), nil); err != nil {
		return nil, err
	}
	l.pages = found.Pagination.PageCount
	return found.Data, nil
}

func (l *list[T]) all() ([]T, error) {
	found := []T{}
	for {
		page, err := l.next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		found = append(found, page...)
	}
}

// one returns the first thing of an envelope, and fails where there is none.
func one[T any](c *client, method, path string, data any) (T, error) {
	var nothing T
	var found struct {
		Data []T `json:"data"`
	}
	if err := c.request(&found, method, path, data); err != nil {
		return nothing, err
	}
	if len(found.Data) == 0 {
		return nothing, errors.New("empty response")
	}
	return found.Data[0], nil
}

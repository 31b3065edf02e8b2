package play

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/answer"
)

// Case is a sequence of requests.
type Case struct {
	Name string
	Run  func(p *Play)
}

// Broker is one that answers.
type Broker struct {
	Addr string // host:port; another one after a restart
	Dir  string // of its data, "" if unknown
	// Restart ends the broker, starts it again and sets Addr. Nil: it stays as it is.
	Restart func(how Ending) error
}

func (b *Broker) port() string {
	_, port, _ := net.SplitHostPort(b.Addr)
	return port
}

// Observer is told of every request that is part of the answers.
type Observer func(req kmsg.Request)

// Play is one case at one broker. It is used by one goroutine.
type Play struct {
	broker  *Broker
	name    string
	observe Observer
	masks   *answer.Masks
	answers []answer.Answer
	clients map[string]*Client
	names   map[string]bool // of answers, each of which is told once
	topics  int
	served  map[string]int32 // topics that there are, and their partitions
	first   string           // the first of them
	kills   int              // of the broker
}

// failure ends a case that cannot go on.
type failure struct{ err error }

// Run plays a case at a broker and returns the answers. The error is one of the
// case, or of a broker that does not answer at all.
func Run(c Case, b *Broker, observe Observer) (all []answer.Answer, err error) {
	p := &Play{
		broker: b, name: c.Name, observe: observe, clients: make(map[string]*Client), names: make(map[string]bool),
		served: make(map[string]int32), masks: &answer.Masks{Port: b.port(), Dir: b.Dir, Now: time.Now().UnixMilli()},
	}
	p.masks.Name = p.Name("")
	defer func() {
		for _, c := range p.clients {
			c.hangUp()
		}
		if f, ok := recover().(failure); ok {
			err = fmt.Errorf("%s: %w", p.name, f.err)
		}
	}()
	c.Run(p)
	return p.answers, nil
}

// Fail ends the case.
func (p *Play) Fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

// keep adds an answer to those of the case.
func (p *Play) keep(a answer.Answer, note string) {
	a.Case, a.Note = p.name, note
	if p.names[a.Name()] {
		for n := 2; ; n++ {
			a.Note = fmt.Sprintf("%s (%d)", note, n)
			if note == "" {
				a.Note = fmt.Sprintf("(%d)", n)
			}
			if !p.names[a.Name()] {
				break
			}
		}
	}
	p.names[a.Name()] = true
	p.answers = append(p.answers, a)
}

// Ask sends a request of a version on the first connection, keeps the answer under
// a note and returns it; if the connection was closed, an empty one.
func (p *Play) Ask(note string, version int16, req kmsg.Request) kmsg.Response {
	return p.Client("").Ask(note, version, req)
}

// Quiet sends a request whose answer is not kept, on a connection of its own.
func (p *Play) Quiet(version int16, req kmsg.Request) kmsg.Response {
	return p.Client("quiet").quiet(version, req)
}

// Raw is Ask with a body that kmsg cannot make; req tells API and version.
func (p *Play) Raw(note string, req kmsg.Request, body []byte) kmsg.Response {
	c := p.Client("")
	p.observe(req)
	c.sendFrame(req, body)
	return c.take(note, req)
}

// Client returns the connection of a name, which is made when it is first used.
func (p *Play) Client(name string) *Client {
	c := p.clients[name]
	if c == nil {
		c = &Client{play: p}
		p.clients[name] = c
	}
	return c
}

// Client is one connection to the broker; after the broker has closed it, another.
type Client struct {
	play    *Play
	conn    *conn
	waiting []sent
}

// sent is a request that is not answered yet.
type sent struct {
	req kmsg.Request
	id  int32
}

func (c *Client) hangUp() {
	if c.conn != nil {
		c.conn.net.Close()
	}
	c.conn, c.waiting = nil, nil
}

// HangUp closes the connection from this side.
func (c *Client) HangUp() { c.hangUp() }

// Send sends a request without waiting for the answer.
func (c *Client) Send(version int16, req kmsg.Request) {
	req.SetVersion(version)
	c.play.observe(req)
	c.sendFrame(req, nil)
}

func (c *Client) sendFrame(req kmsg.Request, body []byte) {
	if c.conn == nil {
		conn, err := dial(c.play.broker.Addr)
		if err != nil {
			c.play.Fail("%w", err)
		}
		c.conn = conn
	}
	var err error
	if body == nil {
		err = c.conn.send(req)
	} else {
		err = c.conn.sendRaw(req, body)
	}
	if err != nil {
		c.play.Fail("%s %d: %w", kmsg.NameForKey(req.Key()), req.GetVersion(), err)
	}
	c.waiting = append(c.waiting, sent{req, c.conn.next})
}

// Take waits for the answer to the oldest request that has none, and keeps it.
func (c *Client) Take(note string) kmsg.Response {
	if len(c.waiting) == 0 {
		c.play.Fail("no request is waiting for an answer: %s", note)
	}
	return c.take(note, c.waiting[0].req)
}

// Ask sends a request and keeps its answer.
func (c *Client) Ask(note string, version int16, req kmsg.Request) kmsg.Response {
	c.Send(version, req)
	return c.take(note, req)
}

func (c *Client) quiet(version int16, req kmsg.Request) kmsg.Response {
	req.SetVersion(version)
	c.sendFrame(req, nil)
	resp, _, err := c.read()
	if err != nil {
		c.play.Fail("%s %d: %w", kmsg.NameForKey(req.Key()), version, err)
	}
	return resp
}

// read returns the next answer and the bytes it was decoded from.
func (c *Client) read() (kmsg.Response, []byte, error) {
	s := c.waiting[0]
	c.waiting = c.waiting[1:]
	resp := s.req.ResponseKind()
	resp.SetVersion(s.req.GetVersion())
	body, err := c.conn.receive(resp, s.id)
	if err != nil {
		return resp, nil, err
	}
	if s.req.Key() == apiVersionsKey && len(body) > 1 && body[0] == 0 && body[1] == unsupportedVersion {
		resp.SetVersion(0) // whatever was asked, so that any client understands it
	}
	if err := resp.ReadFrom(body); err != nil {
		return resp, body, errBroken
	}
	return resp, body, nil
}

const unsupportedVersion = 35

var errBroken = errors.New("answer cannot be decoded")

func (c *Client) take(note string, req kmsg.Request) kmsg.Response {
	p := c.play
	asked := req.GetVersion()
	resp, body, err := c.read()
	a := answer.Answer{API: kmsg.NameForKey(req.Key())}
	switch {
	case err == nil:
		a = answer.Of(p.masks, resp, body)
	case errors.Is(err, errClosed):
		a.Fields = []answer.Field{{Path: answer.Closed, Value: "true"}}
		c.hangUp()
	case errors.Is(err, errBroken):
		a.Fields = []answer.Field{{Path: answer.Broken, Value: fmt.Sprintf("%x", body[:min(len(body), 64)])}}
	default:
		p.Fail("%s %d %s: %w", a.API, asked, note, err)
	}
	a.Version = asked
	p.keep(a, note)
	if err != nil {
		resp = req.ResponseKind()
		resp.SetVersion(asked)
	}
	return resp
}

// SendUnanswered sends a request that gets no answer.
func (c *Client) SendUnanswered(version int16, req kmsg.Request) {
	c.Send(version, req)
	c.waiting = c.waiting[:len(c.waiting)-1]
}

// Until asks again and again until the condition holds. What check asks it asks by
// Quiet.
func (p *Play) Until(what string, check func() bool) {
	deadline := time.Now().Add(patience)
	for !check() {
		if time.Now().After(deadline) {
			p.Fail("not within %v: %s", patience, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

package main

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// fault is what a proxy does to a connection.
type fault int

const (
	reset    fault = iota // RST in both directions
	halfOpen              // nothing passes any more, and nobody is told
	cut                   // both ends are closed in the middle of a message
	slow                  // a few bytes at a time, then RST
)

// faults is how many there are.
const faults = 4

// proxy passes TCP connections on to a server, and breaks each after some bytes of the answers.
type proxy struct {
	listener net.Listener
	target   string
	after    int64 // bytes, at most

	mu    sync.Mutex
	rng   *rand.Rand
	count map[fault]int
	stop  chan struct{}
	work  sync.WaitGroup
}

func newProxy(target string, after int64) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, target: target, after: after, rng: rand.New(rand.NewPCG(1, 2)), count: map[fault]int{}, stop: make(chan struct{})}
	p.work.Go(p.serve)
	return p, nil
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) close() {
	close(p.stop)
	p.listener.Close()
	p.work.Wait()
}

func (p *proxy) serve() {
	for n := 0; ; n++ {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.work.Go(func() { p.connection(client.(*net.TCPConn), fault(n%faults)) })
	}
}

// connection breaks one connection in one way.
func (p *proxy) connection(client *net.TCPConn, f fault) {
	defer client.Close()
	upstream, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	server := upstream.(*net.TCPConn)
	defer server.Close()
	p.mu.Lock()
	p.count[f]++
	bytes := p.after/2 + p.rng.Int64N(p.after/2)
	p.mu.Unlock()
	ended := make(chan struct{}, 2)
	go func() {
		io.Copy(server, client)
		ended <- struct{}{}
	}()
	go func() {
		if f == slow {
			p.trickle(client, server, bytes)
		} else {
			io.CopyN(client, server, bytes)
		}
		ended <- struct{}{}
	}()
	select {
	case <-ended:
	case <-p.stop:
		return
	}
	switch f {
	case reset, slow:
		client.SetLinger(0)
		server.SetLinger(0)
	case halfOpen:
		// The copying of requests goes on into the server, whose answers nobody takes; the client hears nothing.
		<-p.stop
	}
}

func (p *proxy) trickle(to io.Writer, from io.Reader, bytes int64) {
	for sent := int64(0); sent < bytes; sent += 512 {
		if _, err := io.CopyN(to, from, 512); err != nil {
			return
		}
		select {
		case <-time.After(time.Millisecond):
		case <-p.stop:
			return
		}
	}
}

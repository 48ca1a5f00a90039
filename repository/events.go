package repository

import (
	"log/slog"
	"time"

	"github.com/fsnotify/fsnotify"
)

// debounce is how long after an event of the disk it is looked at, so that the many events of one copy make few looks.
const debounce = 100 * time.Millisecond

// events hear from the operating system when something happens in a folder. They only make a look come sooner: on a network's
// disk there are none for what other machines do.
type events struct {
	watcher  *fsnotify.Watcher // nil where the system has none left
	log      *slog.Logger
	some     chan struct{}
	complain bool
	done     chan struct{}
}

func (r *Repository) listenToDisk() *events {
	e := &events{log: r.log, some: make(chan struct{}, 1), complain: true, done: make(chan struct{})}
	var err error
	if e.watcher, err = fsnotify.NewWatcher(); err != nil {
		e.unheard(err)
		close(e.done)
		return e
	}
	go e.listen()
	return e
}

// listen turns any number of events into one.
func (e *events) listen() {
	defer close(e.done)
	errors := e.watcher.Errors
	for {
		select {
		case _, open := <-e.watcher.Events:
			if !open {
				return
			}
		case _, open := <-errors: // events were lost, so there were some
			if !open {
				return
			}
		}
		select {
		case e.some <- struct{}{}:
		default:
		}
	}
}

// happened receives after events. A nil *events never sends.
func (e *events) happened() <-chan struct{} {
	if e == nil {
		return nil
	}
	return e.some
}

// follow hears from these folders, and no longer from others.
func (e *events) follow(places map[string]bool) {
	if e.watcher == nil {
		return
	}
	followed := map[string]bool{}
	for _, place := range e.watcher.WatchList() {
		followed[place] = true
		if !places[place] {
			_ = e.watcher.Remove(place) // it may have removed itself with its folder
		}
	}
	for place := range places {
		if followed[place] {
			continue
		}
		if err := e.watcher.Add(place); err != nil && isFolder(place) {
			e.unheard(err)
		}
	}
}

// unheard tells once that looks have to do without events.
func (e *events) unheard(err error) {
	if e.complain {
		e.log.Warn("the system does not tell when model folders change; changes are seen when the folders are looked at", "error", err)
	}
	e.complain = false
}

func (e *events) close() {
	if e.watcher != nil {
		_ = e.watcher.Close()
	}
	<-e.done
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// report prints what became of each image, one at a time, and counts. Its methods may be called by several goroutines.
type report struct {
	app  *app
	json bool
	bar  *progress

	mu        sync.Mutex
	succeeded int
	failed    int
	broken    error // standard output cannot be written any more
}

// newReport begins with the arguments that name no image.
func (a *app) newReport(pictures int, failed []missing, asJSON bool) *report {
	r := &report{app: a, json: asJSON, bar: &progress{}}
	for _, m := range failed {
		r.fail(m.argument, m.err)
	}
	r.bar = a.newProgress(pictures)
	return r
}

// shows tells whether anybody would see the progress of the work on an image.
func (r *report) shows() bool { return r.bar.visible }

// working shows what is done for an image that has no answer yet.
func (r *report) working(p picture, done *pb.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bar.describe(p, done)
}

// succeed prints an answer by show, whose error makes the image a failed one.
func (r *report) succeed(path string, show func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bar.hide()
	defer r.bar.step(path)
	if err := show(); err != nil {
		r.lament(path, err)
		return
	}
	r.succeeded++
}

// fail prints why an image has no answer.
func (r *report) fail(path string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bar.hide()
	defer r.bar.step(path)
	r.lament(path, err)
}

func (r *report) lament(path string, err error) {
	r.failed++
	fmt.Fprintf(r.app.stderr, "%s: %s\n", printable(path), describe(err))
	r.lamentJSON(path, err)
}

// leave tells of the images that a stream left without an answer when it ended by err, or by itself.
func (r *report) leave(paths []string, err error) {
	if len(paths) == 0 {
		return
	}
	if err == nil {
		err = errors.New("the server ended the stream early; ask again for these images")
	}
	if len(paths) == 1 {
		r.fail(paths[0], err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bar.hide()
	r.failed += len(paths)
	fmt.Fprintf(r.app.stderr, "%d images from %s on have no answer: %s\n", len(paths), printable(paths[0]), describe(err))
	for _, path := range paths {
		r.lamentJSON(path, err)
	}
}

func (r *report) lamentJSON(path string, err error) {
	if r.json {
		r.broken = errors.Join(r.broken, r.printJSON(struct {
			Image string  `json:"image"`
			Error failure `json:"error"`
		}{path, failureOf(err)}))
	}
}

// printJSON prints one line.
func (r *report) printJSON(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = r.app.stdout.Write(append(line, '\n'))
	return err
}

// print prints lines for people.
func (r *report) print(format string, args ...any) error {
	_, err := fmt.Fprintf(r.app.stdout, format, args...)
	return err
}

// result is the command's error once all images are done.
func (r *report) result() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bar.hide()
	if r.failed > 0 || r.broken != nil {
		return failedImages{r.failed, r.failed + r.succeeded}
	}
	return nil
}

package main

import (
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// fewImages need no progress bar.
const fewImages = 3

// progress is a bar at the bottom of a terminal; on anything else, and for few images, it draws nothing.
type progress struct{ bar *progressbar.ProgressBar }

func (a *app) newProgress(images int) progress {
	if images <= fewImages || !isTerminal(a.stderr) {
		return progress{}
	}
	return progress{progressbar.NewOptions(images,
		progressbar.OptionSetWriter(a.stderr),
		progressbar.OptionSetDescription("images"),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("images"),
		progressbar.OptionFullWidth(),
		progressbar.OptionClearOnFinish(),
	)}
}

// hide makes room for a line of output.
func (p progress) hide() {
	if p.bar != nil {
		p.bar.Clear()
	}
}

// step counts one image and draws the bar again.
func (p progress) step() {
	if p.bar != nil {
		p.bar.Add(1)
	}
}

// note shows a line on a terminal until done is called.
func (a *app) note(text string) (done func()) {
	if !isTerminal(a.stderr) {
		return func() {}
	}
	fmt.Fprintf(a.stderr, "\r%s", text)
	return func() { fmt.Fprint(a.stderr, "\r\x1b[K") }
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

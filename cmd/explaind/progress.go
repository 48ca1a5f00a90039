package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// fewImages need no progress bar, unless a method takes its time.
const fewImages = 3

// mostNameRunes is how much of a picture's name stands beside the bar.
const mostNameRunes = 24

// progress is a bar at the bottom of a terminal: how many images are done, and beside it what is done for one of those at
// work. On anything else it draws nothing. The caller sees to it that one method runs at a time.
type progress struct {
	visible bool
	out     io.Writer
	images  int
	done    int
	atWork  string // path of the image beside the bar; "" for none
	bar     *progressbar.ProgressBar
}

func (a *app) newProgress(images int) *progress {
	p := &progress{visible: isTerminal(a.stderr), out: a.stderr, images: images}
	if p.visible && images > fewImages {
		p.begin()
	}
	return p
}

const aboutImages = "images"

func (p *progress) begin() {
	p.bar = progressbar.NewOptions(p.images,
		progressbar.OptionSetWriter(p.out),
		progressbar.OptionSetDescription(aboutImages),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("images"),
		progressbar.OptionFullWidth(),
		progressbar.OptionClearOnFinish(),
	)
	p.bar.Add(p.done)
}

// describe shows how many passes of a method are done for an image. It is what makes a bar appear for few images.
func (p *progress) describe(image picture, done *pb.Progress) {
	if !p.visible || p.done >= p.images {
		return
	}
	if p.bar == nil {
		p.begin()
	}
	p.atWork = image.path
	name := []rune(printable(filepath.Base(image.path)))
	if len(name) > mostNameRunes {
		name = append(name[:mostNameRunes-1], '…')
	}
	p.bar.Describe(fmt.Sprintf("%s %s %d/%d", string(name), methodName(done.GetMethod()), done.GetDone(), done.GetTotal()))
}

// hide makes room for a line of output.
func (p *progress) hide() {
	if p.bar != nil {
		p.bar.Clear()
	}
}

// step counts one image, and draws the bar again.
func (p *progress) step(path string) {
	p.done++
	if p.bar == nil {
		return
	}
	if p.atWork == path {
		p.atWork = ""
		p.bar.Describe(aboutImages)
	}
	p.bar.Add(1)
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

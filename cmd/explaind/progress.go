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
	begun   bool   // the bar is there
	atWork  string // path of the image beside the bar; "" for none
	place   int64  // of that image among all
	bar     *progressbar.ProgressBar
}

func (a *app) newProgress(images int) *progress {
	p := &progress{visible: isTerminal(a.stderr), out: a.stderr, images: images}
	if !p.visible {
		return p
	}
	p.bar = progressbar.NewOptions(p.images,
		progressbar.OptionSetWriter(p.out),
		progressbar.OptionSetDescription(aboutImages),
		progressbar.OptionShowCount(),
		progressbar.OptionSetItsString("images"),
		progressbar.OptionSetElapsedTime(true),
		progressbar.OptionSetPredictTime(false), // nothing is known before one image is done
		progressbar.OptionFullWidth(),
		progressbar.OptionClearOnFinish(),
	)
	if images > fewImages {
		p.begin()
	}
	return p
}

const aboutImages = "images"

func (p *progress) begin() {
	p.begun = true
	if p.done > 0 {
		p.predict()
	}
	p.bar.Add(p.done)
}

// predict shows how fast the work is, and how long it will take.
func (p *progress) predict() {
	progressbar.OptionShowIts()(p.bar)
	progressbar.OptionSetPredictTime(true)(p.bar)
}

// describe shows how many passes of a method are done for an image. It is what makes a bar appear for few images. Of
// several images at work it shows the first, until that is done.
func (p *progress) describe(image picture, done *pb.Progress) {
	if !p.visible || p.done >= p.images {
		return
	}
	if p.atWork != "" && p.place < done.GetSequence() {
		return
	}
	if !p.begun {
		p.begin()
	}
	p.atWork, p.place = image.path, done.GetSequence()
	name := []rune(printable(filepath.Base(image.path)))
	if len(name) > mostNameRunes {
		name = append(name[:mostNameRunes-1], '…')
	}
	measuring := ""
	if done.GetMeasuring() {
		measuring = "measuring "
	}
	p.bar.Describe(fmt.Sprintf("%s %s%s %d/%d", string(name), measuring, methodName(done.GetMethod()), done.GetDone(), done.GetTotal()))
}

// hide makes room for a line of output.
func (p *progress) hide() {
	if p.begun {
		p.bar.Clear()
	}
}

// step counts one image, and draws the bar again.
func (p *progress) step(path string) {
	p.done++
	if !p.begun {
		return
	}
	if p.atWork == path {
		p.atWork = ""
		p.bar.Describe(aboutImages)
	}
	p.predict()
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

package explaind

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestErrorKeepsItsCause(t *testing.T) {
	err := Errorf(FailedPrecondition, "BROKEN", "the file %s is damaged: %w", "x.pb", io.ErrUnexpectedEOF)
	if !errors.Is(err, io.ErrUnexpectedEOF) || err.Error() != "the file x.pb is damaged: unexpected EOF" {
		t.Errorf("got %q with the cause %v", err, err.Err)
	}
	if got := AsError(fmt.Errorf("opening: %w", err)); got != err {
		t.Errorf("AsError made %+v of it", got)
	}
}

func TestAsErrorHidesWhatIsInternal(t *testing.T) {
	got := AsError(errors.New("open /srv/secret: permission denied"))
	if got.Code != Internal || strings.Contains(got.Error(), "secret") || got.Err == nil {
		t.Errorf("got %+v", got)
	}
}

func TestAtFieldNamesOnce(t *testing.T) {
	inner := Errorf(InvalidArgument, "BAD", "it is bad")
	named := AtField(inner, "image.encoded")
	if named.Error() != "image.encoded: it is bad" || inner.Field != "" {
		t.Errorf("got %q, and the original %q", named, inner.Field)
	}
	if again := AtField(named, "image"); again.Error() != named.Error() {
		t.Errorf("named twice: %q", again)
	}
	if err := AtField(io.EOF, "image"); err != io.EOF {
		t.Errorf("another error became %v", err)
	}
	if err := AtField(nil, "image"); err != nil {
		t.Errorf("no error became %v", err)
	}
}

func TestNotFoundListsTheNearestNames(t *testing.T) {
	known := []string{"block1_conv1", "block5_conv3", "block5_conv2", "predictions", "block5_conv1"}
	err := NotFoundError("layer", "Block5_conv33", known)
	if err.Code != NotFound || err.Reason != "LAYER_NOT_FOUND" || err.ResourceName != "Block5_conv33" {
		t.Errorf("got %+v", err)
	}
	if want := "block5_conv3,block5_conv2,block5_conv1"; err.Metadata["nearest"] != want {
		t.Errorf("nearest are %q, want %q", err.Metadata["nearest"], want)
	}
	if err := NotFoundError("model", "x", nil); !strings.Contains(err.Message, "there is none") {
		t.Errorf("got %q", err.Message)
	}
}

// A name that a client sends must not cost more than one that exists.
func TestNearestIsBounded(t *testing.T) {
	known := make([]string, 1000)
	for i := range known {
		known[i] = strings.Repeat("k", 1000)
	}
	start := time.Now()
	NotFoundError("label", strings.Repeat("x", 1<<20), known)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		for _, got := range []int{editDistance(c.a, c.b), editDistance(c.b, c.a)} {
			if got != c.want {
				t.Errorf("distance of %q and %q is %d, want %d", c.a, c.b, got, c.want)
			}
		}
	}
}

func TestFromContext(t *testing.T) {
	if err := FromContext(t.Context()); err != nil {
		t.Errorf("a living context gives %v", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	for want, ctx := range map[Code]context.Context{Canceled: canceled, DeadlineExceeded: late} {
		if err := AsError(FromContext(ctx)); err.Code != want {
			t.Errorf("got %+v, want code %v", err, want)
		}
	}
}

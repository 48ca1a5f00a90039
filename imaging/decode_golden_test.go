package imaging

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func readGoldens(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func readPicture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "pictures", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tolerance is the largest difference of one value, and the mean one, as measured here; on photos of 512×512 at quality
// 75 and 95 they are 3 and 0.05 too. They come from the rounding of two inverse cosine transforms, and for WebP from
// that of the chroma. TensorFlow's decode_jpeg, which takes a faster transform, differs from Pillow by up to 18 and 1.3.
func tolerance(name string) (most int, mean float64) {
	switch {
	case strings.HasSuffix(name, ".jpg"):
		return 3, 0.2
	case strings.HasPrefix(name, "lossy"):
		return 2, 0.2
	default:
		return 0, 0
	}
}

// decode.json was made by testdata/make_goldens.py: Pillow's exif_transpose and convert("RGB"), or TensorFlow's
// decode_image where the two differ (16 bits, GIF).
func TestDecodeGoldens(t *testing.T) {
	var cases []struct {
		File          string
		By            string
		Width, Height int
		Rows          []string
	}
	readGoldens(t, "decode.json", &cases)
	if len(cases) < 40 {
		t.Fatalf("%d goldens", len(cases))
	}
	for _, c := range cases {
		p, err := Decode(readPicture(t, c.File), Limits{})
		if err != nil {
			t.Errorf("%s: %v", c.File, err)
			continue
		}
		want, err := hex.DecodeString(strings.Join(c.Rows, ""))
		if err != nil {
			t.Fatal(err)
		}
		if p.Width != c.Width || p.Height != c.Height || len(p.Pix) != len(want) {
			t.Errorf("%s: %d×%d with %d bytes, %s says %d×%d", c.File, p.Width, p.Height, len(p.Pix), c.By, c.Width, c.Height)
			continue
		}
		worst, at, sum := 0, 0, 0
		for i, w := range want {
			d := max(int(p.Pix[i])-int(w), int(w)-int(p.Pix[i]))
			sum += d
			if d > worst {
				worst, at = d, i
			}
		}
		most, mean := tolerance(c.File)
		if worst > most {
			t.Errorf("%s: pixel (%d, %d) differs by %d from %s", c.File, at/3%c.Width, at/3/c.Width, worst, c.By)
		}
		if m := float64(sum) / float64(len(want)); m > mean {
			t.Errorf("%s: differs by %.3f in the mean from %s", c.File, m, c.By)
		}
	}
}

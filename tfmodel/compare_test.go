package tfmodel_test

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/explaind/explaind"
)

func tensorOf(h *explaind.Heatmap) *explaind.Tensor {
	return &explaind.Tensor{Shape: []int{h.Height, h.Width}, Data: h.Values}
}

// mostDifference is the largest difference of two tensors; infinite if their shapes differ.
func mostDifference(got, want *explaind.Tensor) float64 {
	if got == nil || !slices.Equal(got.Shape, want.Shape) {
		return math.Inf(1)
	}
	worst := 0.
	for i, w := range want.Data {
		d := math.Abs(float64(got.Data[i]) - float64(w))
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		worst = max(worst, d)
	}
	return worst
}

// extent is the largest value less the smallest, with 0 among them.
func extent(values []float32) float64 {
	lo, hi := 0., 0.
	for _, v := range values {
		lo, hi = min(lo, float64(v)), max(hi, float64(v))
	}
	return hi - lo
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}

// forgetPeakMemory makes peakMemory count from now on, where Linux allows that.
func forgetPeakMemory() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// peakMemory is the most memory that the process has had, in bytes.
func peakMemory(t *testing.T) (bytes int64) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if _, err := fmt.Sscanf(strings.TrimSpace(lines.Text()), "VmHWM: %d kB", &bytes); err == nil {
			return bytes << 10
		}
	}
	return 0
}

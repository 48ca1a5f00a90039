package batch_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/batch"
	"github.com/explaind/explaind/internal/fakemodel"
)

// A shared model is used as any other; callers who come while it is busy share its next runs.
func Example() {
	m := batch.New(fakemodel.New(2, "red", "green", "blue"), batch.Options{MaxRows: 16})
	defer m.Close()
	pictures := []*explaind.Tensor{
		{Shape: []int{1, 2, 2, 3}, Data: []float32{1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0}},
		{Shape: []int{1, 2, 2, 3}, Data: []float32{0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1}},
	}
	answers := make([]string, len(pictures))
	var all sync.WaitGroup
	for i, x := range pictures {
		all.Go(func() {
			p, err := m.Predict(context.Background(), x)
			if err != nil {
				answers[i] = err.Error()
				return
			}
			answers[i] = m.Spec().Label(explaind.TopK(p.Logits.Row(0).Data, 1)[0])
		})
	}
	all.Wait()
	fmt.Println(answers)
	// Output: [red blue]
}

package batch_test

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/explaind/explaind"
)

// deadlines counts the rows whose run began after their deadline. It knows them by their first value.
type deadlines struct {
	explaind.Model
	due        sync.Map // float32 → time.Time
	rows, late atomic.Int64
}

// slack is what may pass between the last look at the clock and the run: the rows are copied, and other goroutines run.
const slack = 20 * time.Millisecond

func (d *deadlines) Predict(ctx context.Context, images *explaind.Tensor) (*explaind.Prediction, error) {
	now := time.Now()
	for row := range images.Shape[0] {
		d.rows.Add(1)
		due, _ := d.due.Load(images.Row(row).Data[0])
		if now.Sub(due.(time.Time)) > slack {
			d.late.Add(1)
		}
	}
	time.Sleep(2 * time.Millisecond)
	return d.Model.Predict(ctx, images)
}

package service

import "context"

// onCore does work that keeps one core busy, as soon as one is free: were all images in flight decoded at once, all of them
// would be late. The error is that of the work, or of ctx if it ended before.
func (s *Service) onCore(ctx context.Context, work func() error) error {
	var core share
	defer core.giveBack()
	if err := core.take(ctx, s.cores, 1); err != nil {
		return err
	}
	return work()
}

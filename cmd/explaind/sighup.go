package main

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// outliveHangUp keeps SIGHUP from ending a server, until the function that it returns is called. Daemons read their files
// again on this signal, and people send it in that hope: models, tokens and certificates are followed anyway, and other
// settings need a new start.
func outliveHangUp(log *slog.Logger) (stop func()) {
	hangUps := make(chan os.Signal, 1)
	signal.Notify(hangUps, syscall.SIGHUP)
	go func() {
		for range hangUps {
			log.Info("SIGHUP changes nothing: models, tokens and certificates are followed by themselves, other settings need a new start")
		}
	}()
	return func() {
		signal.Stop(hangUps)
		close(hangUps)
	}
}

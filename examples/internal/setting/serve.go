package setting

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Listen listens where the flag -addr says.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with -addr", err)
	}
	return listener, nil
}

// Serve serves a handler beside work, until ctx ends, which is no error, or one
// of the two cannot go on.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, work func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		// Requests end with ctx: a stream of events would outlast a shutdown.
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	served, worked := make(chan error, 1), make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	go func() { worked <- work(ctx) }()
	var err error
	select {
	case err = <-served:
		cancel()
		<-worked
	case err = <-worked:
		cancel()
		grace, stop := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer stop()
		if server.Shutdown(grace) != nil { // who takes nothing
			_ = server.Close()
		}
	}
	if errors.Is(err, context.Canceled) { // a signal
		return nil
	}
	return err
}

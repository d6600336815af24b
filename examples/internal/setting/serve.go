package setting

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
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

// local refuses requests to this machine's own address under another name: so
// come those of a page elsewhere whose name was made to lead here.
func local(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		if ok && at.IP.IsLoopback() && r.Host != "" && !isLoopback(r.Host) { // no browser leaves it out
			http.Error(w, "this address is for localhost: a proxy in front of it must send Host: localhost", http.StatusMisdirectedRequest)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil { // no port
		host = strings.Trim(hostport, "[]")
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Serve serves a handler beside work, until ctx ends, which is no error, or one
// of the two cannot go on.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, work func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{
		Handler:           local(handler),
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

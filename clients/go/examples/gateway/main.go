// Command gateway is a reverse proxy that lets pass what usherd allows: the smallest gateway of language models.
//
//	gateway -usherd localhost:50051 -upstream http://localhost:4000 -listen 127.0.0.1:8080
//
// Whatever an end user sends is asked about. A streamed completion ends when its token is revoked or its team blocked.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"time"

	"github.com/usherd/usherd/clients/go/usherd"
	"github.com/usherd/usherd/clients/go/usherdhttp"
)

func main() {
	usher := flag.String("usherd", "localhost:50051", "where usherd runs")
	upstream := flag.String("upstream", "http://localhost:4000", "where allowed requests go")
	listen := flag.String("listen", "127.0.0.1:8080", "where to listen")
	flag.Parse()
	if err := run(*usher, *upstream, *listen); err != nil {
		log.Fatal(err)
	}
}

func run(usher, upstream, listen string) error {
	to, err := url.Parse(upstream)
	if err != nil {
		return err
	}
	client, err := usherd.New(usher, usherd.WithCache(10_000))
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	server := &http.Server{Addr: listen, Handler: guarded(client, to), ReadHeaderTimeout: 10 * time.Second}
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	context.AfterFunc(stop, func() { _ = server.Close() })
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// guarded asks about everything but its own health.
func guarded(client *usherd.Client, to *url.URL) http.Handler {
	guard := usherdhttp.New(client, usherdhttp.Passing(func(request *http.Request) bool {
		return request.URL.Path == "/health"
	}))
	return guard(proxy(to))
}

// proxy hands allowed requests on. Upstream is told who asks, and does not see the user's token.
func proxy(to *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(to)
			for _, name := range []string{"Authorization", "Api-Key", "X-Api-Key", "X-Goog-Api-Key", "Cookie"} {
				request.Out.Header.Del(name)
			}
			request.Out.Header.Del("X-Usherd-User")
			if decision, ok := usherdhttp.Decision(request.In.Context()); ok {
				who, _ := decision.Principal()
				request.Out.Header.Set("X-Usherd-User", url.QueryEscape(who.UserID))
			}
		},
	}
}

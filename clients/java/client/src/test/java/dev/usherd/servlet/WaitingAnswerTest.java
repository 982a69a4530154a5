package dev.usherd.servlet;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.usherd.testing.FakeDecision;
import dev.usherd.testing.FakeUsherd;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** Answers that are no streams of events, and whose application is in the middle of them when they are cut. */
class WaitingAnswerTest {

  private static final String STREAMED = "{\"model\":\"m\",\"stream\":true}";

  private final FakeUsherd usherd = new FakeUsherd().answer("alice", FakeDecision.allowed().userId("alice").build());
  private final CompletableFuture<IOException> seen = new CompletableFuture<>();

  @Test
  void one_that_waits_says_nothing_more_and_is_broken_off_when_it_would() throws Exception {
    CountDownLatch upstream = new CountDownLatch(1);
    try (Jetty jetty =
        new Jetty(
            usherd,
            (request, response) -> {
              response.setContentType("application/x-ndjson");
              response.getOutputStream().write("{}\n".getBytes());
              response.flushBuffer();
              upstream.await(20, TimeUnit.SECONDS);
              try {
                response.getOutputStream().write("{}\n".getBytes());
              } catch (IOException cut) {
                seen.complete(cut);
                throw cut;
              }
            })) {
      InputStream body =
          Jetty.stream(jetty.request("alice", "application/json", HttpRequest.BodyPublishers.ofString(STREAMED))).body();
      assertEquals("{}\n", new String(body.readNBytes(3)));
      Watched.one(usherd);
      usherd.revoke("alice");
      CompletableFuture<byte[]> rest =
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return body.readAllBytes();
                } catch (IOException brokenOff) {
                  throw new IllegalStateException(brokenOff);
                }
              });
      // No other thread can end it in the middle: see UsherFilter.
      Thread.sleep(300);
      assertFalse(rest.isDone());
      upstream.countDown();
      assertTrue(seen.get(5, TimeUnit.SECONDS) instanceof AnswerCutException);
      ExecutionException broken = assertThrows(ExecutionException.class, () -> rest.get(5, TimeUnit.SECONDS));
      assertTrue(broken.getCause().getCause() instanceof IOException, String.valueOf(broken));
    }
  }

  @Test
  void one_whose_client_does_not_read_ends_when_the_container_gives_the_write_up() throws Exception {
    AtomicLong written = new AtomicLong();
    byte[] line = ("\"" + "x".repeat(65_000) + "\"\n").getBytes(StandardCharsets.US_ASCII);
    try (Jetty jetty =
            new Jetty(
                    usherd,
                    (request, response) -> {
                      response.setContentType("application/x-ndjson");
                      try {
                        while (true) {
                          response.getOutputStream().write(line);
                          written.incrementAndGet();
                        }
                      } catch (IOException ended) {
                        seen.complete(ended);
                        throw ended;
                      }
                    })
                .idle(Duration.ofSeconds(2));
        Socket client = new Socket("127.0.0.1", jetty.port())) {
      client
          .getOutputStream()
          .write(
              ("POST /v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer alice\r\nContent-Type: application/json\r\n"
                      + "Content-Length: " + STREAMED.length() + "\r\n\r\n" + STREAMED)
                  .getBytes(StandardCharsets.US_ASCII));
      Watched.one(usherd);
      long before = -1;
      while (before != written.get()) {
        before = written.get();
        Thread.sleep(200);
      }
      usherd.revoke("alice");
      seen.get(10, TimeUnit.SECONDS);
      assertEquals(before, written.get());
      // Read to its end, it has no last chunk: nobody takes it for whole.
      client.setSoTimeout(10_000);
      String last = "";
      try {
        InputStream in = client.getInputStream();
        byte[] bytes = new byte[65_536];
        for (int length = in.read(bytes); length >= 0; length = in.read(bytes)) {
          last = (last + new String(bytes, 0, length, StandardCharsets.US_ASCII));
          last = last.substring(Math.max(0, last.length() - 100));
        }
      } catch (IOException reset) {
        // As good an end.
      }
      assertFalse(last.endsWith("0\r\n\r\n"), last);
    }
  }
}

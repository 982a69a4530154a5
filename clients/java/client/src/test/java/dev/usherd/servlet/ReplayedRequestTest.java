package dev.usherd.servlet;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.usherd.testing.FakeDecision;
import dev.usherd.testing.FakeUsherd;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.Part;
import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** A body that the filter had to read is there for the application, and says to it what it said to the filter. */
class ReplayedRequestTest {

  private static final String MULTIPART = "multipart/form-data; boundary=xyz";

  private final FakeUsherd usherd = new FakeUsherd().answer("alice", FakeDecision.allowed().userId("alice").build());

  private String served(Jetty.Serving serving, String type, byte[] body) throws Exception {
    try (Jetty jetty = new Jetty(usherd, serving)) {
      var response = Jetty.text(jetty.request("alice", type, HttpRequest.BodyPublishers.ofByteArray(body)));
      return response.statusCode() + " " + response.body();
    }
  }

  private static byte[] latin(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  @Test
  void the_parts_of_a_form_are_there_with_their_files() throws Exception {
    byte[] body =
        latin(
            "--xyz\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n"
                + "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n"
                + "Content-Type: audio/wav\r\nX-Own: 1\r\n\r\n\0\u00ff\r\n--xyz--\r\n");
    String told =
        served(
            (request, response) -> {
              Part file = request.getPart("file");
              byte[] bytes = file.getInputStream().readAllBytes();
              response
                  .getWriter()
                  .print(
                      String.join(
                          "|",
                          Integer.toString(request.getParts().size()),
                          file.getName(),
                          file.getSubmittedFileName(),
                          file.getContentType(),
                          file.getHeader("X-OWN"),
                          file.getHeaderNames().toString(),
                          Long.toString(file.getSize()),
                          Integer.toString(bytes[1] & 0xff),
                          request.getParameter("model"),
                          String.valueOf(request.getParameter("file")),
                          String.valueOf(request.getPart("nobody")),
                          String.valueOf(request.getPart("model").getSubmittedFileName())));
            },
            MULTIPART,
            body);
    assertEquals(
        "200 2|file|a.wav|audio/wav|1|[content-disposition, content-type, x-own]|2|255|whisper-1|null|null|null", told);
    assertEquals("whisper-1", usherd.asked().get(0).model());
  }

  @Test
  void parts_that_two_readers_could_read_in_two_ways_are_none() throws Exception {
    AtomicReference<Exception> thrown = new AtomicReference<>();
    served(
        (request, response) -> {
          try {
            request.getParts();
          } catch (ServletException expected) {
            thrown.set(expected);
          }
        },
        MULTIPART,
        latin("--xyz\nContent-Disposition: form-data; name=\"model\"\n\nm\n--xyz--\n"));
    assertTrue(thrown.get().getMessage().contains("certainty"), String.valueOf(thrown.get()));
  }

  @Test
  void a_field_that_is_not_escaped_is_the_same_text_to_the_application_as_to_usherd() throws Exception {
    String model = served(
        (request, response) ->
            response.getOutputStream().write(request.getParameter("model").getBytes(StandardCharsets.UTF_8)),
        "application/x-www-form-urlencoded",
        "model=gpt-\u00e9".getBytes(StandardCharsets.UTF_8));
    assertEquals("gpt-\u00e9", usherd.asked().get(0).model());
    assertEquals("200 gpt-\u00e9", model);
  }

  @Test
  void a_form_of_more_fields_than_are_read_has_none() throws Exception {
    String told = served(
        (request, response) -> response.getWriter().print(request.getParameter("a")),
        "application/x-www-form-urlencoded",
        latin("a=1&".repeat(20_000)));
    assertTrue(told.startsWith("500 "), told.substring(0, 20));
  }

  @Test
  void a_charset_that_is_none_is_told_as_the_servlet_api_tells_it() throws Exception {
    String told =
        served(
            (request, response) -> {
              try {
                request.getReader();
              } catch (java.io.UnsupportedEncodingException as) {
                response.getWriter().print("told");
              }
            },
            "application/json; charset=nobody-has-it",
            latin("{}"));
    assertEquals("200 told", told);
  }
}

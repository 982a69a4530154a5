package dev.usherd;

import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The real authorization service in a process of its own, which tells stories. */
final class StoryServer implements AutoCloseable {

  private final Process process;
  private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();
  private final String url;
  final String target;
  final long pid;

  StoryServer() throws IOException {
    Path root = Path.of(System.getProperty("usherd.root")).toAbsolutePath().normalize();
    ProcessBuilder builder =
        new ProcessBuilder(root.resolve(".venv/bin/python").toString(), "-m", "tools.story_server")
            .directory(root.toFile())
            .redirectError(ProcessBuilder.Redirect.INHERIT);
    builder.environment().put("PYTHONPATH", root.resolve("tests").toString());
    process = builder.start();
    BufferedReader out = process.inputReader(StandardCharsets.UTF_8);
    String line = out.readLine();
    if (line == null) {
      throw new IOException("the story server did not start");
    }
    JsonObject where = JsonParser.parseString(line).getAsJsonObject();
    target = where.get("grpc").getAsString();
    url = where.get("http").getAsString();
    pid = where.get("pid").getAsLong();
  }

  JsonObject get(String path) throws IOException, InterruptedException {
    return sent(HttpRequest.newBuilder(URI.create(url + "/" + path)).GET());
  }

  JsonObject post(String path, String body) throws IOException, InterruptedException {
    return sent(HttpRequest.newBuilder(URI.create(url + "/" + path)).POST(HttpRequest.BodyPublishers.ofString(body)));
  }

  private JsonObject sent(HttpRequest.Builder request) throws IOException, InterruptedException {
    HttpResponse<String> answer =
        http.send(
            request.version(HttpClient.Version.HTTP_1_1).timeout(Duration.ofSeconds(60)).build(),
            HttpResponse.BodyHandlers.ofString());
    if (answer.statusCode() != 200) {
      throw new IOException("the story server answered " + answer.statusCode());
    }
    return JsonParser.parseString(answer.body()).getAsJsonObject();
  }

  void signal(String name) throws IOException, InterruptedException {
    Process kill = new ProcessBuilder("kill", "-" + name, Long.toString(pid)).inheritIO().start();
    if (kill.waitFor() != 0) {
      throw new IOException("could not signal the story server");
    }
  }

  static Question question(JsonObject ask) {
    List<String> fallbacks = new ArrayList<>();
    ask.getAsJsonArray("fallback_models").forEach(each -> fallbacks.add(each.getAsString()));
    return Question.builder(text(ask, "token"), text(ask, "route"))
        .method(text(ask, "method"))
        .model(text(ask, "model"))
        .fallbackModels(fallbacks)
        .teamId(text(ask, "team_id"))
        .teamAlias(text(ask, "team_alias"))
        .endUserId(text(ask, "end_user_id"))
        .organizationId(text(ask, "organization_id"))
        .modifiesGuardrails(ask.get("modifies_guardrails").getAsBoolean())
        .build();
  }

  private static String text(JsonObject ask, String name) {
    JsonElement value = ask.has(name) ? ask.get(name) : JsonNull.INSTANCE;
    return value.isJsonNull() ? null : value.getAsString();
  }

  @Override
  public void close() throws IOException {
    process.getOutputStream().close();
    try {
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException interrupted) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}

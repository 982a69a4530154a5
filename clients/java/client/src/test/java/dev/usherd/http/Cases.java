package dev.usherd.http;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.params.provider.Arguments;

/** The cases that every client answers alike. */
final class Cases {

  private Cases() {}

  static JsonObject file(String name) throws IOException {
    Path path = Path.of(System.getProperty("usherd.root"), "clients", "cases", name);
    return JsonParser.parseString(Files.readString(path, StandardCharsets.UTF_8)).getAsJsonObject();
  }

  static Stream<Arguments> of(String name) throws IOException {
    return StreamSupport.stream(file(name).getAsJsonArray("cases").spliterator(), false)
        .map(JsonElement::getAsJsonObject)
        .map(each -> Arguments.of(each.get("name").getAsString(), each));
  }

  static List<Map.Entry<String, String>> pairs(JsonArray headers) {
    List<Map.Entry<String, String>> pairs = new ArrayList<>();
    for (JsonElement each : headers) {
      pairs.add(Map.entry(each.getAsJsonArray().get(0).getAsString(), each.getAsJsonArray().get(1).getAsString()));
    }
    return pairs;
  }

  static String text(JsonObject object, String name) {
    return !object.has(name) || object.get(name).isJsonNull() ? null : object.get(name).getAsString();
  }

  static RequestReader reader(JsonObject options) {
    RequestReader.Builder reader = RequestReader.builder();
    for (Map.Entry<String, JsonElement> each : options.entrySet()) {
      switch (each.getKey()) {
        case "header" -> reader.credentialHeader(each.getValue().getAsString());
        case "origins" -> each.getValue().getAsJsonArray().forEach(origin -> reader.origin(origin.getAsString()));
        case "base_path" -> reader.basePath(each.getValue().getAsString());
        case "model_header" -> reader.modelHeader(each.getValue().getAsString());
        case "team_header" -> reader.teamHeader(each.getValue().getAsString());
        case "team_alias_header" -> reader.teamAliasHeader(each.getValue().getAsString());
        default -> throw new AssertionError("an option that this runner does not know: " + each.getKey());
      }
    }
    return reader.build();
  }
}

package dev.usherd;

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.usherd.v1.Limit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** An answer in the words of stories. */
final class Told {

  private static final Gson GSON = new Gson();

  private Told() {}

  static JsonObject of(UsherFault fault) {
    JsonObject words = new JsonObject();
    words.addProperty("fault", fault.reason());
    return words;
  }

  static JsonObject of(Decision decision) {
    JsonObject words = new JsonObject();
    words.addProperty("effect", decision.allowed() ? "ALLOW" : "DENY");
    words.addProperty("reason", decision.reason());
    words.addProperty("http_status", decision.httpStatus());
    words.addProperty("www_authenticate", decision.wwwAuthenticate());
    words.addProperty("resolved_model", decision.resolvedModel());
    words.add("fault", JsonNull.INSTANCE);
    JsonObject limits = new JsonObject();
    dev.usherd.v1.Limits wire = decision.wire().getLimits();
    limits.add("team", wire.hasTeam() ? limit(wire.getTeam()) : JsonNull.INSTANCE);
    limits.add("user", wire.hasUser() ? limit(wire.getUser()) : JsonNull.INSTANCE);
    limits.add("member", wire.hasMember() ? limit(wire.getMember()) : JsonNull.INSTANCE);
    words.add("limits", limits);
    Principal who = decision.principal().orElse(null);
    words.addProperty("kind", who == null ? null : who.kind());
    words.addProperty("issuer", who == null ? null : who.issuer());
    words.addProperty("subject", who == null ? null : who.subject());
    words.addProperty("client", who == null ? null : who.client());
    words.addProperty("user", who == null ? null : who.userId());
    words.addProperty("email", who == null ? null : who.email());
    words.addProperty("directory_role", who == null ? null : who.directoryRole());
    words.addProperty("admin", who == null ? null : who.admin());
    words.add("roles", who == null ? JsonNull.INSTANCE : GSON.toJsonTree(who.roles()));
    words.add("scopes", who == null ? JsonNull.INSTANCE : GSON.toJsonTree(who.scopes()));
    words.addProperty("team", who == null ? null : who.teamId());
    words.addProperty("team_alias", who == null ? null : who.teamAlias());
    words.addProperty("organization", who == null ? null : who.organizationId());
    words.addProperty("end_user", who == null ? null : who.endUserId());
    JsonObject claims = new JsonObject();
    if (who != null) {
      who.claims().forEach(each -> claims.add(each.name(), JsonParser.parseString(each.valueJson())));
    }
    words.add("claims", claims);
    return words;
  }

  private static JsonObject limit(Limit wire) {
    JsonObject limit = new JsonObject();
    limit.addProperty("tpm", wire.hasTpm() ? wire.getTpm() : null);
    limit.addProperty("rpm", wire.hasRpm() ? wire.getRpm() : null);
    limit.addProperty("max_budget", wire.hasMaxBudgetMicroUsd() ? wire.getMaxBudgetMicroUsd() : null);
    limit.addProperty("budget_period", wire.hasBudgetReset() ? wire.getBudgetReset().getSeconds() : null);
    limit.add("models", GSON.toJsonTree(wire.getModelsList()));
    return limit;
  }

  /** What is not as expected; a key that is not known here is a difference, too. */
  static List<String> differences(JsonObject expect, JsonObject got) {
    List<String> differences = new ArrayList<>();
    if (got.size() == 1 && !expect.has("fault")) {
      return List.of("fault " + got.get("fault") + " where a decision was expected");
    }
    for (Map.Entry<String, JsonElement> each : expect.entrySet()) {
      JsonElement found = got.get(each.getKey());
      if (got.size() > 1 && !got.has(each.getKey())) {
        differences.add(each.getKey() + ": nobody here knows that");
      } else if (!fits(each.getValue(), found)) {
        differences.add(each.getKey() + ": expected " + each.getValue() + ", got " + found);
      }
    }
    return differences;
  }

  private static boolean fits(JsonElement wanted, JsonElement got) {
    if (isNothing(wanted) || isNothing(got)) {
      return isNothing(wanted) && isNothing(got);
    }
    if (wanted.isJsonObject() && got.isJsonObject()) {
      return wanted.getAsJsonObject().entrySet().stream()
          .allMatch(each -> fits(each.getValue(), got.getAsJsonObject().get(each.getKey())));
    }
    if (wanted.isJsonPrimitive() && wanted.getAsJsonPrimitive().isNumber() && got.isJsonPrimitive()) {
      return got.getAsJsonPrimitive().isNumber() && wanted.getAsDouble() == got.getAsDouble();
    }
    return wanted.equals(got);
  }

  private static boolean isNothing(JsonElement value) {
    return value == null
        || value.isJsonNull()
        || (value.isJsonPrimitive() && value.getAsJsonPrimitive().isString() && value.getAsString().isEmpty())
        || (value instanceof JsonArray list && list.isEmpty())
        || (value instanceof JsonObject object && object.size() == 0);
  }
}

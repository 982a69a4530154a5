import type { Asked } from "../questions.js";

/**
 * The whole question as one text, which no other question has: each part has its length in front of it. A Map compares
 * such texts in full.
 */
export function keyOf(asked: Asked): string {
  const { model, fallbackModels } = asked;
  let key = sized(asked.token) + sized(asked.route) + sized(asked.method);
  key += model === undefined ? "-" : sized(model);
  key += asked.wish === "" ? "-" : (asked.wish === "teamId" ? "i" : "a") + sized(asked.team);
  key += sized(asked.endUserId) + sized(asked.organizationId) + (asked.modifiesGuardrails ? "1" : "0");
  for (const each of fallbackModels) {
    key += sized(each);
  }
  return key;
}

function sized(text: string): string {
  return text.length + ":" + text;
}

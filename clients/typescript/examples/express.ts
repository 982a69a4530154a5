// A gateway that streams: node build/examples/express.js, with usherd at localhost:50051.
//
//   curl -N localhost:8080/v1/chat/completions -H "authorization: Bearer $TOKEN" \
//     -H "content-type: application/json" -d '{"model": "gpt-4o", "stream": true}'

import { setTimeout } from "node:timers/promises";
import express from "express";
import { Usherd } from "../src/index.js";
import { authorize } from "../src/express.js";

const usherd = new Usherd(process.env["USHERD"] ?? "localhost:50051", { cache: true });
const app = express();

app.get("/healthz", (_request, response) => {
  response.send("fine");
});
app.use(authorize(usherd));
app.use(express.json({ limit: "32mb" }));

app.post("/v1/chat/completions", async (request, response) => {
  const { decision, signal } = request.usher ?? {};
  const words = `This would be ${decision?.resolvedModel}, for ${decision?.principal?.userId || "somebody"}.`.split(" ");
  response.type("text/event-stream");
  for (const content of words) {
    response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: `${content} ` } }] })}\n\n`);
    await setTimeout(500, undefined, { ...(signal === undefined ? {} : { signal }) }).catch(() => undefined);
    if (signal?.aborted === true) {
      return; // it was cut: blocked, revoked, or nobody reads it any more
    }
  }
  response.end("data: [DONE]\n\n");
});

const server = app.listen(Number(process.env["PORT"] ?? 8080), () => console.log("listening", server.address()));
process.once("SIGTERM", () => {
  server.close(() => usherd.close());
  server.closeAllConnections();
});

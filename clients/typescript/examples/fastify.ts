// The same with Fastify: node build/examples/fastify.js, with usherd at localhost:50051.

import fastify from "fastify";
import { Usherd } from "../src/index.js";
import { usherdPlugin } from "../src/fastify.js";

const usherd = new Usherd(process.env["USHERD"] ?? "localhost:50051", { cache: true });
const app = fastify({ bodyLimit: 32 * 1024 * 1024 });

await app.register(usherdPlugin, { usherd, skip: (request) => request.url === "/healthz" });
app.addHook("onClose", async () => usherd.close());
app.get("/healthz", async () => "fine");
app.post("/v1/chat/completions", async (request) => ({
  model: request.usher?.decision.resolvedModel,
  choices: [{ message: { role: "assistant", content: "Hello." } }],
}));

console.log("listening", await app.listen({ port: Number(process.env["PORT"] ?? 8080) }));
process.once("SIGTERM", () => void app.close());

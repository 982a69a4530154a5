import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { once } from "node:events";

/** Stands between a client and a server, and can lose every byte while all connections stay open: a network that drops packets. */
export class Swallower {
  /** Whether bytes go nowhere, in both directions. */
  swallows = false;
  readonly #lost = new WeakSet<Socket>();
  readonly #sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  static async before(target: string): Promise<Swallower> {
    const [host = "", port = ""] = target.split(":");
    const server = createServer((near) => swallower.#join(near, connect(Number(port), host)));
    const swallower = new Swallower(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return swallower;
  }

  get target(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** How many connections a client has. */
  get connections(): number {
    return this.#sockets.size / 2;
  }

  /** Those connections that are open now stay open, and silent for good. New ones are served. */
  lose(): void {
    for (const each of this.#sockets) {
      this.#lost.add(each);
    }
  }

  stop(): void {
    this.server.close();
    for (const each of this.#sockets) {
      each.destroy();
    }
  }

  #join(near: Socket, far: Socket): void {
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.on("data", (bytes) => {
        if (!this.swallows && !this.#lost.has(from)) {
          to.write(bytes);
        }
      });
      from.on("error", () => undefined);
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}

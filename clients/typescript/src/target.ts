import { isIP, isIPv4 } from "node:net";

/** Throws TypeError unless the target is encrypted, or on this machine, or said to be plaintext on purpose. */
export function checkTarget(target: string, encrypted: boolean, plaintext: boolean): void {
  if (typeof target !== "string" || target === "") {
    throw new TypeError('target: expected a gRPC target, such as "localhost:50051"');
  }
  if (encrypted && plaintext) {
    throw new TypeError("plaintext: expected false where tls is given");
  }
  if (!encrypted && !plaintext && !staysHere(target)) {
    throw new TypeError("tls: required for a target that is not loopback or unix (or plaintext: true)");
  }
}

/** Whether every address of the target is surely on this machine: unix sockets, loopback, localhost. */
export function staysHere(target: string): boolean {
  const colon = target.indexOf(":");
  const rest = target.slice(colon + 1);
  switch (target.slice(0, Math.max(colon, 0))) {
    case "unix":
      return true;
    case "ipv4":
    case "ipv6":
      return rest.split(",").every(isLoopback);
    case "dns":
      return isLoopback(rest.startsWith("///") ? rest.slice(3) : rest);
    default:
      return isLoopback(target);
  }
}

function isLoopback(address: string): boolean {
  const [, bracketed, bare] = /^(?:\[([^\]]*)\]|([^:]*))(?::[0-9]*)?$/.exec(address) ?? [];
  const host = (bracketed ?? bare ?? address).toLowerCase();
  return host === "localhost" || (isIPv4(host) && host.startsWith("127.")) || (isIP(host) === 6 && host === "::1");
}

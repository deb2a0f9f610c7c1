// The daemon under test: `kubetally demo`, which brings a cluster of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

// The workspace's binary, or the one that is named.
const BINARY =
  process.env.KUBETALLY ?? fileURLToPath(new URL("../../target/debug/kubetally", import.meta.url));

// A port of this machine that nobody listens on.
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

export class Demo {
  constructor(port) {
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  // Starts it, and waits until it has listed everything.
  async start() {
    const flags = ["demo", "--listen", `127.0.0.1:${this.port}`, "--rate", "30"];
    this.child = spawn(BINARY, flags, { stdio: ["ignore", "pipe", "inherit"] });
    let told = "";
    for await (const text of this.child.stdout) {
      told += text;
      if (told.includes("Synced after")) {
        this.child.stdout.resume();
        return;
      }
    }
    throw new Error(`the demo has ended: ${told}`);
  }

  // Stops it as Kubernetes would.
  async stop() {
    const ended = once(this.child, "exit");
    this.child.kill("SIGTERM");
    const [code] = await ended;
    if (code !== 0) {
      throw new Error(`the demo ended with ${code}`);
    }
  }
}

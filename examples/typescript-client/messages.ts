// Publishes a message at one node of a Logos testnet, as another receives it.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { credentials, loadPackageDefinition, Metadata } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const [text, publish = "127.0.0.1:17001", subscribe = "127.0.0.1:17002"] = process.argv.slice(2);
const { LOGOS_TOKEN, LOGOS_TOKEN_FILE } = process.env;
if (!LOGOS_TOKEN && !LOGOS_TOKEN_FILE) throw new Error("set LOGOS_TOKEN or LOGOS_TOKEN_FILE");
const token = LOGOS_TOKEN || readFileSync(LOGOS_TOKEN_FILE!, "utf8");
const who = new Metadata();
who.set("authorization", `Bearer ${token.trim()}`);

const proto = fileURLToPath(new URL("../../proto", import.meta.url));
const contract = loadSync("logos/delivery/v1/delivery.proto", { includeDirs: [proto], arrays: true });
const { Delivery } = (loadPackageDefinition(contract) as any).logos.delivery.v1;
const sender = new Delivery(publish, credentials.createInsecure());
const receiver = new Delivery(subscribe, credentials.createInsecure());

const contentTopic = "/example/1/greetings/proto", contentTopics = [contentTopic];
await promisify(receiver.subscribe).call(receiver, { contentTopics }, who);
const watch = { kinds: ["EVENT_KIND_RECEIVED"], contentTopics };
const pages = receiver.watchEvents(watch, who, { deadline: Date.now() + 60_000 });
let asked = false;
for await (const { events } of pages) {
  for (const { message } of events) console.log(message.payload.toString());
  const isHere = events.some(({ message }: any) => message.payload.toString() === text);
  if (isHere) process.exit(); // which ends the stream, too
  if (asked) continue; // the first page says where the stream begins: nothing is missed from now on
  asked = true;
  await promisify(sender.send).call(sender, { contentTopic, payload: Buffer.from(text) }, who);
}

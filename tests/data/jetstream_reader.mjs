// Reads events of posts with @skyware/jetstream, a client of Jetstream by other people, and prints them.
// Arguments: the module's file, that of ws, the endpoint, a cursor, how many events.
const [module, ws, endpoint, cursor, count] = process.argv.slice(2);
const { Jetstream } = await import(module);
const { default: WebSocket } = await import(ws);
const jetstream = new Jetstream({ ws: WebSocket, endpoint, cursor: Number(cursor), wantedCollections: ["app.bsky.feed.post"] });
let left = Number(count);
const show = (event) => {
  if (left-- > 0) process.stdout.write(JSON.stringify(event) + "\n");
  if (left === 0) jetstream.close();
};
for (const kind of ["commit", "identity", "account"]) jetstream.on(kind, show);
jetstream.on("error", (error) => { console.error(error); process.exit(1); });
jetstream.on("close", () => process.exit(left > 0 ? 2 : 0));
jetstream.start();

// Sends requests with OpenAI's client for Node.js and prints what came of each, as one JSON object.
// Usage: NODE_PATH=…/node_modules node node_client.cjs BASE_URL AUDIO_FILE
const fs = require("node:fs");
const { OpenAI, toFile } = require("openai");

const [baseURL, path] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "unused", maxRetries: 0 });
const audio = () => fs.createReadStream(path);
const transcribe = (fields) =>
  client.audio.transcriptions.create({ file: audio(), model: "whisper-1", ...fields });

async function streamed(fields) {
  const events = [];
  for await (const event of await transcribe({ ...fields, stream: true })) events.push(event);
  return events;
}

async function failed(request) {
  try {
    await request();
  } catch (error) {
    const { status, param, code, type, message } = error;
    return { raised: error.constructor.name, status, param, code, type, message };
  }
  return { raised: null };
}

async function modelNames() {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  return names;
}

async function main() {
  const verbose = { response_format: "verbose_json", timestamp_granularities: ["word", "segment"] };
  return {
    json: await transcribe({}),
    text: await transcribe({ response_format: "text" }),
    srt: await transcribe({ response_format: "srt" }),
    vtt: await transcribe({ response_format: "vtt" }),
    verbose_json: await transcribe(verbose),
    buffer: await transcribe({ file: await toFile(fs.readFileSync(path), "call.wav") }),
    options: await transcribe({ language: "ko", temperature: 0.2, chunking_strategy: { type: "server_vad" } }),
    stream: await streamed({}),
    models: await modelNames(),
    model: await client.models.retrieve("whisper-1"),
    no_model: await failed(() => transcribe({ model: "whisper-9" })),
    no_format: await failed(() => transcribe({ response_format: "diarized_json" })),
    no_audio: await failed(async () => transcribe({ file: await toFile(Buffer.from("no audio"), "a.wav") })),
    no_audio_streamed: await failed(async () => streamed({ file: await toFile(Buffer.from("no audio"), "a.wav") })),
    no_translation: await failed(() => client.audio.translations.create({ file: audio(), model: "whisper-1" })),
  };
}

main().then(
  (answers) => console.log(JSON.stringify(answers)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);

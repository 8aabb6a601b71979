// The calls that users of the Node client make, and what came of them as one JSON object.
// node calls.mjs ENGLISH.wav FRENCH.wav; OPENAI_BASE_URL and OPENAI_API_KEY say where.
import fs from 'node:fs';
import OpenAI from 'openai';

const [english, french] = process.argv.slice(2);
const client = new OpenAI({ maxRetries: 0 });
const transcribe = (options) =>
  client.audio.transcriptions.create({ file: fs.createReadStream(english), model: 'whisper-1', ...options });

async function refused(call) {
  try {
    await call;
  } catch (error) {
    return { kind: error.constructor.name, status: error.status, code: error.code, param: error.param, id: error.requestID };
  }
  return null;
}

const told = [];
for await (const event of await transcribe({ stream: true, include: ['logprobs'] })) told.push(event);
const { data, response } = await transcribe({}).withResponse();

console.log(
  JSON.stringify({
    told,
    json: data,
    headers: Object.fromEntries(response.headers),
    verbose: await transcribe({ response_format: 'verbose_json', timestamp_granularities: ['word', 'segment'] }),
    text: await transcribe({ response_format: 'text' }),
    srt: await transcribe({ response_format: 'srt', chunking_strategy: { type: 'server_vad', threshold: 0.5 } }),
    vtt: await transcribe({ response_format: 'vtt', language: 'en', prompt: 'Asterisk', temperature: 0 }),
    translated: await client.audio.translations.create({ file: fs.createReadStream(french), model: 'base' }),
    models: (await client.models.list()).data.map((model) => model.id),
    model: await client.models.retrieve('whisper-1'),
    diarized: await refused(transcribe({ response_format: 'diarized_json' })),
    unknown: await refused(transcribe({ model: 'none' })),
    stranger: await refused(new OpenAI({ apiKey: 'wrong', maxRetries: 0 }).models.list()),
  }),
);

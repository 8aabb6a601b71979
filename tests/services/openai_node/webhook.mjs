// What the Node client makes of a webhook that comes on standard input: {body, headers, secret}.
import fs from 'node:fs';
import OpenAI from 'openai';

const { body, headers, secret } = JSON.parse(fs.readFileSync(0, 'utf8'));
const client = new OpenAI({ apiKey: 'none', webhookSecret: secret });
try {
  const event = await client.webhooks.unwrap(body, headers);
  console.log(JSON.stringify({ type: event.type, id: event.id, job: event.data.id }));
} catch (error) {
  console.log(JSON.stringify({ refused: error.constructor.name }));
}

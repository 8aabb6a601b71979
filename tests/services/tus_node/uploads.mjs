// What users of tus-js-client do, and what came of it as one JSON object on the last line.
// node uploads.mjs abort|resume|refused FILE URLS.json; TUS_ENDPOINT and TUS_KEY say where.
import fs from 'node:fs';
import { once } from 'node:events';
import { FileUrlStorage, Upload } from 'tus-js-client';

const [what, path, urls] = process.argv.slice(2);
const CHUNK = 128 * 1024;

function begun(options, file = fs.createReadStream(path)) {
  return new Upload(file, {
    endpoint: process.env.TUS_ENDPOINT,
    headers: { Authorization: `Bearer ${process.env.TUS_KEY}` },
    chunkSize: CHUNK,
    metadata: { filename: 'talk.wav' },
    urlStorage: new FileUrlStorage(urls),
    retryDelays: null,
    ...options,
  });
}

// The user closes the page in the middle of the second chunk.
function abort() {
  return new Promise((done, onError) => {
    const upload = begun({
      onError,
      onProgress: (sent) => {
        if (sent > CHUNK) upload.abort().then(() => done({ url: upload.url, sent }), onError);
      },
    });
    upload.start();
  });
}

// The user chooses the file again. Before the second chunk the service is killed; the client tries until it is back.
async function resume() {
  const requests = [];
  let chunks = 0;
  const onBeforeRequest = async (request) => {
    requests.push(request.getMethod());
    if (request.getMethod() === 'PATCH' && ++chunks === 2) {
      console.log('kill');
      await once(process.stdin, 'data');
    }
  };
  const sent = [];
  const upload = begun({ onBeforeRequest, retryDelays: Array(300).fill(200), onProgress: (bytes) => sent.push(bytes) });
  const previous = await upload.findPreviousUploads();
  upload.resumeFromPreviousUpload(previous[0]);
  await new Promise((onSuccess, onError) => {
    Object.assign(upload.options, { onSuccess, onError });
    upload.start();
  });
  process.stdin.destroy();
  return { found: previous.length, url: upload.url, first: sent[0], requests };
}

async function refusal(options, file) {
  try {
    await new Promise((onSuccess, onError) => begun({ onSuccess, onError, ...options }, file).start());
  } catch (error) {
    const answer = error.originalResponse;
    return { status: answer.getStatus(), ...JSON.parse(answer.getBody() || '{}').error };
  }
  return null;
}

async function refused() {
  return {
    spaced: await refusal({ metadata: { 'file name': 'talk.wav' } }),
    long: await refusal({ metadata: { filename: 'x'.repeat(5000) } }),
    stranger: await refusal({ headers: { Authorization: 'Bearer wrong' } }),
    large: await refusal({ uploadSize: 2 ** 50 }),
    gone: await refusal({ uploadUrl: `${process.env.TUS_ENDPOINT}/upload_none`, endpoint: null }),
  };
}

console.log(JSON.stringify(await { abort, resume, refused }[what]()));

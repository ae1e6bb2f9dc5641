// Calls what it is told of the vendor's library: a line of JSON in for each method, a line out with what its callback heard.
'use strict';

const readline = require('readline');
const messagebird = require('messagebird');

const clients = new Map();

function client(key) {
  if (!clients.has(key)) clients.set(key, messagebird.initClient(key));
  return clients.get(key);
}

function methods(owner, name) {
  return Object.keys(owner).map((method) => `${name}.${method}`);
}

function answer(content) {
  process.stdout.write(`${JSON.stringify(content)}\n`);
}

const { calls, callflows, recordings, transcriptions, voice } = client('nobody');
answer([
  ...methods(calls, 'calls'),
  ...methods(callflows, 'callflows'),
  ...methods(recordings, 'recordings'),
  ...methods(transcriptions, 'transcriptions'),
  ...methods(voice.webhooks, 'voice.webhooks'),
]);

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const { key, method, args } = JSON.parse(line);
  const path = method.split('.');
  const name = path.pop();
  const owner = path.reduce((at, part) => at[part], client(key));
  owner[name](...args, (error, value) => {
    answer(error ? { error: { message: error.message, status: error.statusCode, errors: error.errors } } : { value });
  });
});

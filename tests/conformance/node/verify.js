// Verify requests with libraries as their authors published them. In: one JSON object on standard input, {requests: [{url,
// headers, body}], key, secret}, bodies in base64. Out: a JSON array, for each request what each check said: "ok" or why not.
const { createSecretKey } = require('crypto');
const querystring = require('querystring');
const signature = require('messagebird/lib/signature');
const signatureJwt = require('messagebird/lib/webhook-signature-jwt');
const { Webhook } = require('standardwebhooks');

async function said(check) {
  try {
    await check();
    return 'ok';
  } catch (error) {
    return error.message;
  }
}

async function verdicts({ url, headers, body }, key, secret) {
  const raw = Buffer.from(body, 'base64');
  // As Express gives it with its own query parser.
  const query = querystring.parse(new URL(url).search.slice(1));
  return {
    request: await said(() => signature.validate({ headers, query, body: raw }, key)),
    jwt: await said(() =>
      signatureJwt.verify(url, raw, headers['messagebird-signature-jwt'], createSecretKey(Buffer.from(key, 'utf8')))
    ),
    standard: await said(() => new Webhook(secret).verify(raw, headers)),
  };
}

let text = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (piece) => (text += piece));
process.stdin.on('end', async () => {
  const { requests, key, secret } = JSON.parse(text);
  console.log(JSON.stringify(await Promise.all(requests.map((request) => verdicts(request, key, secret)))));
});

// Loaded before the library (node --require). The library has host and port fixed: voice.messagebird.com, 443. A line in
// /etc/hosts and a server on port 443 answer that in earnest; a test may neither write that file nor have that port, so
// this answers the same question in their place: where that host is. Nothing else changes: TLS, the name in the
// certificate (from NODE_EXTRA_CA_CERTS) and every request are the library's and Node's own.
'use strict';

const https = require('https');

const [address, port] = process.env.VOICE_SERVER.split(':');
const connect = https.globalAgent.createConnection;

https.globalAgent.createConnection = function (options, ...rest) {
  const there = options.host === 'voice.messagebird.com' && options.port === 443;
  return connect.call(this, there ? { ...options, host: address, port: Number(port) } : options, ...rest);
};

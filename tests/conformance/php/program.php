<?php

/** Calls every voice method of the PHP library: php program.php URL KEY IDS, one line of JSON for each. */

declare(strict_types=1);

use MessageBird\{Call, CallFlow, Client, HttpClient, RequestException, ServerException, Webhook};

require __DIR__ . '/library.php';

// What the library would stumble over with a warning, an application has thrown.
set_error_handler(fn(int $severity, string $text) => throw new \ErrorException($text, 0, $severity));

[, $url, $key, $file] = $argv;
$ids = json_decode(file_get_contents($file));
$http = new HttpClient($url, 10, 2, ['X-MessageBird-Version' => '20170314']);
$client = new Client($key, $http);
$sent = 0;

function tell(string $method, string $result, string $detail, mixed $read = null): void
{
    global $http, $sent;
    $line = ['method' => $method, 'result' => $result, 'detail' => $detail, 'sent' => $http->sent - $sent, 'read' => $read];
    echo json_encode($line, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE), "\n";
    $sent = $http->sent;
}

/** Without an exception of the class named in $defect a method works. */
function attempt(string $method, callable $called, ?string $defect = null): mixed
{
    try {
        $found = $called();
        tell($method, 'works', '', $found);
        return $found;
    } catch (\Throwable $thrown) {
        $result = $defect !== null && $thrown instanceof $defect ? 'defect' : 'fails';
        tell($method, $result, (new \ReflectionClass($thrown))->getShortName() . ': ' . $thrown->getMessage());
        return null;
    }
}

function sound(string $whole): array
{
    return ['bytes' => strlen($whole), 'sha256' => hash('sha256', $whole)];
}

/** An error of the server, as the library tells it. */
function refused(string $method, callable $called): void
{
    try {
        $called();
        tell($method, 'fails', 'nothing was raised');
    } catch (RequestException $thrown) {
        tell($method, 'works', $thrown->getMessage());
    } catch (\Throwable $thrown) {
        tell($method, 'fails', get_class($thrown) . ': ' . $thrown->getMessage());
    }
}

$steps = [
    ['action' => 'say', 'options' => ['payload' => 'Hello.', 'language' => 'en-GB', 'voice' => 'female']],
    ['action' => 'pause', 'options' => ['length' => 60]],
];
$flow = new CallFlow();
$flow->steps = $steps;
$asked = new Call();
[$asked->source, $asked->destination, $asked->callFlow] = [$ids->source, $ids->destination, $flow];

$call = attempt('voiceCalls->create', fn() => $client->voiceCalls->create($asked));
attempt('voiceCalls->getList', fn() => $client->voiceCalls->getList(['offset' => 0, 'limit' => 100]));
attempt('voiceCalls->read', fn() => $client->voiceCalls->read($ids->call));
attempt('Call->getEndedAt', fn() => $call->getEndedAt(), TypeError::class);
$rest = new Call();
$rest->callFlow = $flow;
attempt('voiceCalls->update', fn() => $client->voiceCalls->update($rest, $call->id));
attempt('voiceCalls->delete', fn() => $client->voiceCalls->delete($call->id));

attempt('voiceLegs->getList', fn() => $client->voiceLegs->getList($ids->call, ['offset' => 0, 'limit' => 10]));
attempt('voiceLegs->read', fn() => $client->voiceLegs->read($ids->call, $ids->leg));

attempt('voiceRecordings->getList', fn() => $client->voiceRecordings->getList($ids->call, $ids->leg, ['offset' => 0, 'limit' => 10]));
attempt('voiceRecordings->read', fn() => $client->voiceRecordings->read($ids->call, $ids->leg, $ids->recording));
attempt('voiceRecordings->download', fn() => sound($client->voiceRecordings->download($ids->call, $ids->leg, $ids->recording)));

$of = [$ids->call, $ids->leg, $ids->recording];
attempt('voiceTranscriptions->create', fn() => $client->voiceTranscriptions->create(...$of));
attempt('voiceTranscriptions->getList', fn() => $client->voiceTranscriptions->getList(...$of, parameters: ['offset' => 0, 'limit' => 10]));
attempt('voiceTranscriptions->read', fn() => $client->voiceTranscriptions->read(...[...$of, $ids->transcription]));
attempt('voiceTranscriptions->download', fn() => $client->voiceTranscriptions->download(...[...$of, $ids->transcription]));
attempt(
    'voiceRecordings->delete',
    fn() => $client->voiceRecordings->delete($ids->call, $ids->leg, $ids->recording),
    ServerException::class,
);

$made = attempt('voiceCallFlows->create', fn() => $client->voiceCallFlows->create($flow));
attempt('voiceCallFlows->getList', fn() => $client->voiceCallFlows->getList(['offset' => 0, 'limit' => 10]));
attempt('voiceCallFlows->read', fn() => $client->voiceCallFlows->read($made->id));
$changed = new CallFlow();
[$changed->title, $changed->record, $changed->steps] = ['Changed', true, $steps];
attempt('voiceCallFlows->update', fn() => $client->voiceCallFlows->update($changed, $made->id));
attempt('voiceCallFlows->delete', fn() => $client->voiceCallFlows->delete($made->id));

$webhook = new Webhook();
[$webhook->url, $webhook->token] = [$ids->webhook, 'first'];
$made = attempt('voiceWebhooks->create', fn() => $client->voiceWebhooks->create($webhook));
attempt('voiceWebhooks->getList', fn() => $client->voiceWebhooks->getList(['offset' => 0, 'limit' => 10]));
attempt('voiceWebhooks->read', fn() => $client->voiceWebhooks->read($made->id));
$webhook->token = 'second';
attempt('voiceWebhooks->update', fn() => $client->voiceWebhooks->update($webhook, $made->id));
attempt('voiceWebhooks->delete', fn() => $client->voiceWebhooks->delete($made->id));

refused('an unknown id', fn() => $client->voiceCalls->read($ids->unknown));
$none = new CallFlow();
$none->title = 'No steps';
refused('a missing value', fn() => $client->voiceCallFlows->create($none));
$stranger = new Client('test_of_nobody', $http);
refused('a wrong key', fn() => $stranger->voiceCalls->getList());

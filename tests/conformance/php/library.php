<?php

/**
 * What the PHP library (messagebird/php-rest-api 4.0.1) sends about calls, and how it reads the answers.
 *
 * Written from the wire contract (§1, §3, §6.2), not from the library. What the library does wrong is done wrong here too.
 */

declare(strict_types=1);

namespace MessageBird;

const CLIENT_VERSION = '3.1.4';

class ServerException extends \Exception {}
class RequestException extends \Exception {}
class AuthenticateException extends \Exception {}
class BalanceException extends \Exception {}

/** Headers and their order are those of every product of the library; a GET has the type of a body, too. */
final class HttpClient
{
    public int $sent = 0;
    private string $accessKey = '';

    /** @param array<string, string> $headers sent with every request */
    public function __construct(
        private string $endpoint,
        private int $timeout,
        private int $connectTimeout,
        private array $headers = [],
    ) {}

    public function setAccessKey(string $accessKey): void
    {
        $this->accessKey = $accessKey;
    }

    /** @return array{int, string} the status and the body, as far as it is read */
    public function perform(string $method, string $resource, array $query = [], ?string $body = null): array
    {
        $url = $this->endpoint . '/' . $resource . ($query ? '?' . http_build_query($query) : '');
        $headers = [
            'User-Agent: MessageBird/ApiClient/' . CLIENT_VERSION . ' PHP/' . PHP_VERSION,
            'Accept: application/json',
            'Content-Type: application/json',
            'Accept-Charset: utf-8',
            'Authorization: AccessKey ' . $this->accessKey,
        ];
        foreach ($this->headers as $name => $value) {
            $headers[] = "$name: $value";
        }
        $curl = curl_init();
        curl_setopt_array($curl, [
            CURLOPT_URL => $url,
            CURLOPT_HTTPHEADER => $headers,
            CURLOPT_HEADER => true,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT => $this->timeout,
            CURLOPT_CONNECTTIMEOUT => $this->connectTimeout,
        ]);
        if ($method === 'POST') {
            curl_setopt_array($curl, [CURLOPT_POST => true, CURLOPT_POSTFIELDS => (string) $body]);
        } elseif ($method !== 'GET') {
            curl_setopt($curl, CURLOPT_CUSTOMREQUEST, $method);
            if ($body !== null) {
                curl_setopt($curl, CURLOPT_POSTFIELDS, $body);
            }
        }
        $this->sent++;
        $answer = curl_exec($curl);
        if ($answer === false) {
            throw new ServerException(curl_error($curl));
        }
        $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        // A sound that holds these four bytes itself is cut at them.
        $parts = explode("\r\n\r\n", $answer, 3);
        return [$status, str_starts_with($parts[0], 'HTTP/1.1 100') ? $parts[2] : $parts[1]];
    }
}

/** An object of the library: it has those keys of an answer that the library knows. */
class Base
{
    public ?string $id = null;
    public ?string $createdAt = null;
    public ?string $updatedAt = null;

    public function load(object $item): static
    {
        foreach (get_object_vars($this) as $name => $_) {
            if (isset($item->$name)) {
                $this->$name = $item->$name;
            }
        }
        return $this;
    }
}

final class Call extends Base
{
    public ?string $status = null;
    public ?string $source = null;
    public ?string $destination = null;
    public ?string $numberId = null;
    public ?CallFlow $callFlow = null;
    public ?string $endedAt = null;

    public function getEndedAt(): string
    {
        return $this->endedAt;
    }
}

final class Leg extends Base
{
    public ?string $callId = null;
    public ?string $source = null;
    public ?string $destination = null;
    public ?string $status = null;
    public ?string $direction = null;
    public ?string $answeredAt = null;
    public ?string $endedAt = null;
}

final class Recording extends Base
{
    public ?string $format = null;
    public ?string $legId = null;
    public ?string $status = null;
    public ?int $duration = null;
}

final class Transcription extends Base
{
    public ?string $recordingId = null;
    public ?string $error = null;
}

final class CallFlow extends Base
{
    public ?string $title = null;
    public ?bool $record = null;
    public ?bool $default = null;
    /** @var list<object> */
    public array $steps = [];

    public function load(object $item): static
    {
        parent::load($item);
        foreach ($item->steps as $step) {
            if (!isset($step->action)) {
                throw new ServerException('a step has no action');
            }
        }
        return $this;
    }
}

final class Webhook extends Base
{
    public ?string $url = null;
    public ?string $token = null;
}

/** Requests about one kind of object. */
abstract class Resource
{
    public function __construct(protected HttpClient $http) {}

    abstract protected function made(): Base;

    protected function ask(string $method, string $resource, array $query = [], ?Base $object = null): object
    {
        $body = $object === null ? null : json_encode($this->filled($object));
        [, $answer] = $this->http->perform($method, $resource, $query, $body);
        return $this->decoded($answer);
    }

    protected function one(string $method, string $resource, ?Base $object = null): Base
    {
        return $this->made()->load($this->ask($method, $resource, [], $object)->data[0]);
    }

    /** @return list<Base> */
    protected function many(string $resource, array $query): array
    {
        $found = [];
        foreach ($this->ask('GET', $resource, $query)->data as $item) {
            $found[] = $this->made()->load($item);
        }
        return $found;
    }

    protected function removed(string $resource): bool
    {
        [$status, $answer] = $this->http->perform('DELETE', $resource);
        return $status === 204 || (bool) $this->decoded($answer);
    }

    protected function file(string $resource): string
    {
        [$status, $answer] = $this->http->perform('GET', $resource);
        return $status === 200 ? $answer : (string) json_encode($this->decoded($answer));
    }

    /** The status of an answer is not looked at. */
    protected function decoded(string $answer): object
    {
        $decoded = json_decode($answer);
        if ($decoded === null) {
            throw new ServerException('Got an invalid JSON response from the server.');
        }
        if (empty($decoded->errors)) {
            return $decoded;
        }
        $texts = [];
        foreach ($decoded->errors as $error) {
            $text = $error->message ?? $error->description;
            match ($error->code) {
                2 => throw new AuthenticateException($text),
                25 => throw new BalanceException($text),
                default => $texts[] = $text,
            };
        }
        throw new RequestException(implode(', ', $texts));
    }

    /** What of an object is sent: whatever was set. */
    private function filled(Base $object): array
    {
        $filled = array_filter(get_object_vars($object), fn($value) => $value !== null);
        return array_map(fn($value) => $value instanceof Base ? $this->filled($value) : $value, $filled);
    }
}

/** Those whose path hangs on nothing: calls, flows and webhooks. */
abstract class Collection extends Resource
{
    protected string $path = '';

    public function create(Base $object): Base
    {
        return $this->one('POST', $this->path, $object);
    }

    /** @return list<Base> */
    public function getList(array $parameters = []): array
    {
        return $this->many($this->path, $parameters);
    }

    public function read(string $id): Base
    {
        return $this->one('GET', "{$this->path}/$id");
    }

    public function update(Base $object, string $id): Base
    {
        return $this->one('PUT', "{$this->path}/$id", $object);
    }

    public function delete(string $id): bool
    {
        return $this->removed("{$this->path}/$id");
    }
}

final class Calls extends Collection
{
    protected string $path = 'calls';

    protected function made(): Call
    {
        return new Call();
    }
}

final class CallFlows extends Collection
{
    protected string $path = 'call-flows';

    protected function made(): CallFlow
    {
        return new CallFlow();
    }
}

final class Webhooks extends Collection
{
    protected string $path = 'webhooks';

    protected function made(): Webhook
    {
        return new Webhook();
    }
}

final class Legs extends Resource
{
    protected function made(): Leg
    {
        return new Leg();
    }

    /** @return list<Base> */
    public function getList(string $call, array $parameters = []): array
    {
        return $this->many("calls/$call/legs", $parameters);
    }

    public function read(string $call, string $leg): Base
    {
        return $this->one('GET', "calls/$call/legs/$leg");
    }
}

final class Recordings extends Resource
{
    protected function made(): Recording
    {
        return new Recording();
    }

    /** @return list<Base> */
    public function getList(string $call, string $leg, array $parameters = []): array
    {
        return $this->many("calls/$call/legs/$leg/recordings", $parameters);
    }

    public function read(string $call, string $leg, string $recording): Base
    {
        return $this->one('GET', "calls/$call/legs/$leg/recordings/$recording");
    }

    /** A body is expected where nothing is left to be told: it throws whenever it has succeeded. */
    public function delete(string $call, string $leg, string $recording): bool
    {
        $this->ask('DELETE', "calls/$call/legs/$leg/recordings/$recording");
        return true;
    }

    public function download(string $call, string $leg, string $recording): string
    {
        return $this->file("calls/$call/legs/$leg/recordings/$recording.wav");
    }
}

final class Transcriptions extends Resource
{
    protected function made(): Transcription
    {
        return new Transcription();
    }

    /** No language can be given, and the body is empty. */
    public function create(string $call, string $leg, string $recording): Base
    {
        return $this->one('POST', $this->path($call, $leg, $recording));
    }

    /** @return list<Base> */
    public function getList(string $call, string $leg, string $recording, array $parameters = []): array
    {
        return $this->many($this->path($call, $leg, $recording), $parameters);
    }

    public function read(string $call, string $leg, string $recording, string $id): Base
    {
        return $this->one('GET', $this->path($call, $leg, $recording) . "/$id");
    }

    public function download(string $call, string $leg, string $recording, string $id): string
    {
        return $this->file($this->path($call, $leg, $recording) . "/$id.txt");
    }

    private function path(string $call, string $leg, string $recording): string
    {
        return "calls/$call/legs/$leg/recordings/$recording/transcriptions";
    }
}

final class Client
{
    public Calls $voiceCalls;
    public Legs $voiceLegs;
    public Recordings $voiceRecordings;
    public Transcriptions $voiceTranscriptions;
    public CallFlows $voiceCallFlows;
    public Webhooks $voiceWebhooks;

    public function __construct(string $accessKey, HttpClient $http)
    {
        $http->setAccessKey($accessKey);
        $this->voiceCalls = new Calls($http);
        $this->voiceLegs = new Legs($http);
        $this->voiceRecordings = new Recordings($http);
        $this->voiceTranscriptions = new Transcriptions($http);
        $this->voiceCallFlows = new CallFlows($http);
        $this->voiceWebhooks = new Webhooks($http);
    }
}

# frozen_string_literal: true

# What the Ruby library (messagebird-rest 5.0.0) sends about calls, and how it reads the answers.
#
# Written from the wire contract (§1, §3, §5.1, §6.4), not from the library. What the library does wrong is done wrong here too.

require 'json'
require 'net/http'
require 'uri'

module MessageBird
  CLIENT_VERSION = '5.0.0'

  class ServerException < StandardError; end

  # Errors that the server told of; the message is their descriptions.
  class ErrorException < StandardError
    def initialize(errors)
      super(errors.map { |error| error['description'] }.join(', '))
    end
  end

  # Speaks TLS, whatever the scheme of its endpoint is.
  class VoiceClient
    READABLE = [200, 201, 202, 204, 401, 404, 405, 422].freeze
    VERBS = { get: Net::HTTP::Get, post: Net::HTTP::Post, put: Net::HTTP::Put, delete: Net::HTTP::Delete }.freeze

    # How many requests were sent by whichever client.
    @sent = 0
    singleton_class.attr_accessor :sent

    attr_reader :access_key

    def initialize(access_key)
      @access_key = access_key
    end

    def request(method, path, params = nil)
      uri = URI.join(endpoint, path)
      asked = build_request(method, uri, params)
      VoiceClient.sent += 1
      response = build_http_client(uri).request(asked)
      raise ServerException, "Unknown response from server: #{response.code}" unless READABLE.include?(response.code.to_i)

      response.body
    end

    # The block goes where a body belongs, so that whoever gives one gets an error from below, before anything is sent.
    def request_block(method, path, params = nil, &block)
      uri = URI.join(endpoint, path)
      asked = build_request(method, uri, params)
      VoiceClient.sent += 1 unless block
      build_http_client(uri).request(asked, block).body
    end

    private

    def build_http_client(uri)
      http = Net::HTTP.new(uri.host, uri.port)
      http.use_ssl = true
      http
    end

    def build_request(method, uri, params)
      asked = VERBS.fetch(method).new(uri.request_uri)
      asked['Accept'] = 'application/json'
      asked['Authorization'] = "AccessKey #{access_key}"
      asked['User-Agent'] = "MessageBird/ApiClient/#{CLIENT_VERSION} Ruby/#{RUBY_VERSION}"
      if %i[post put].include?(method) && params
        asked['Content-Type'] = 'application/json'
        asked.body = params.to_json
      end
      asked
    end
  end

  # An object of the library: it has those keys of an answer that the library knows.
  class Base
    def self.knows(*names)
      @known = names.map(&:to_s)
    end

    def self.known
      @known
    end

    attr_reader :values

    def initialize(item)
      @values = item.slice(*self.class.known)
    end

    def id
      values.fetch('id')
    end

    def to_json(*state)
      values.to_json(*state)
    end
  end

  class Webhook < Base
    knows :id, :url, :token, :createdAt, :updatedAt
  end

  class Call < Base
    knows :id, :status, :source, :destination, :createdAt, :updatedAt, :endedAt

    def initialize(item)
      super
      @webhook = Webhook.new(item['webhook']) if item.key?('webhook')
    end
  end

  class Leg < Base
    knows :id, :callId, :source, :destination, :status, :direction, :cost, :currency, :duration,
          :createdAt, :updatedAt, :answeredAt, :endedAt
  end

  # Has the link of its file.
  class Filed < Base
    attr_reader :uri

    def initialize(item, links)
      super(item)
      @uri = links['file']
    end
  end

  class Recording < Filed
    knows :id, :format, :type, :legId, :status, :duration, :createdAt, :updatedAt, :deletedAt
  end

  class Transcription < Filed
    knows :id, :recordingId, :legId, :status, :error, :createdAt, :updatedAt
  end

  class CallFlow < Base
    knows :id, :title, :record, :default, :steps, :createdAt, :updatedAt
  end

  class Client
    def initialize(access_key, _http_client = nil, _conversation_client = nil, voice_client = nil)
      @voice = voice_client || VoiceClient.new(access_key)
    end

    def call_create(source, destination, call_flow = {}, webhook = {}, params = {})
      params = params.merge(source: source, destination: destination, callFlow: call_flow.to_json, webhook: webhook.to_json)
      Call.new(one(:post, 'calls', params))
    end

    def call_list(per_page = 20, page = 1)
      list(Call, "calls?perPage=#{per_page}&currentPage=#{page}")
    end

    def call_view(id)
      Call.new(one(:get, "calls/#{id}"))
    end

    def call_delete(id)
      ask(:delete, "calls/#{id}")
    end

    def call_leg_list(call_id, per_page = 20, page = 1)
      list(Leg, "calls/#{call_id}/legs?perPage=#{per_page}&currentPage=#{page}")
    end

    def call_leg_recording_list(call_id, leg_id)
      filed_list(Recording, recordings(call_id, leg_id))
    end

    def call_leg_recording_view(call_id, leg_id, recording_id)
      filed(Recording, :get, "#{recordings(call_id, leg_id)}/#{recording_id}")
    end

    def call_leg_recording_delete(call_id, leg_id, recording_id)
      ask(:delete, "#{recordings(call_id, leg_id)}/#{recording_id}")
    end

    def call_leg_recording_download(uri, &block)
      @voice.request_block(:get, uri, &block)
    end

    def voice_transcription_create(call_id, leg_id, recording_id, params = {})
      filed(Transcription, :post, transcriptions(call_id, leg_id, recording_id), params)
    end

    def voice_transcriptions_list(call_id, leg_id, recording_id)
      filed_list(Transcription, transcriptions(call_id, leg_id, recording_id))
    end

    def voice_transcription_view(call_id, leg_id, recording_id, transcription_id)
      filed(Transcription, :get, "#{transcriptions(call_id, leg_id, recording_id)}/#{transcription_id}")
    end

    def voice_transcription_download(call_id, leg_id, recording_id, transcription_id)
      @voice.request(:get, "#{transcriptions(call_id, leg_id, recording_id)}/#{transcription_id}.txt")
    end

    def voice_webhook_create(url, params = {})
      Webhook.new(one(:post, 'webhooks', params.merge(url: url)))
    end

    # The defaults have names that are defined nowhere.
    def voice_webhooks_list(per_page = PER_PAGE, page = CURRENT_PAGE)
      list(Webhook, "webhooks?perPage=#{per_page}&page=#{page}")
    end

    def voice_webhook(id)
      Webhook.new(one(:get, "webhooks/#{id}"))
    end

    def voice_webhook_update(id, params = {})
      Webhook.new(one(:put, "webhooks/#{id}", params))
    end

    def voice_webhook_delete(id)
      ask(:delete, "webhooks/#{id}")
    end

    def call_flow_create(params)
      CallFlow.new(one(:post, 'call-flows', params))
    end

    def call_flow_list(per_page = 20, page = 1)
      list(CallFlow, "call-flows?perPage=#{per_page}&page=#{page}")
    end

    def call_flow_view(id)
      CallFlow.new(one(:get, "call-flows/#{id}"))
    end

    def call_flow_delete(id)
      ask(:delete, "call-flows/#{id}")
    end

    private

    # That a key for errors is there is enough to raise, whatever it holds.
    def ask(method, path, params = nil)
      body = @voice.request(method, path, params)
      return true if body.nil? || body.empty?

      answer = JSON.parse(body)
      raise ErrorException, answer['errors'] if answer.key?('errors')

      answer
    end

    def one(method, path, params = nil)
      ask(method, path, params)['data'][0]
    end

    def list(type, path)
      (ask(:get, path)['data'] || []).map { |item| type.new(item) }
    end

    # The file of one thing is looked for in the envelope, that of each thing in a list in the thing.
    def filed(type, method, path, params = nil)
      answer = ask(method, path, params)
      type.new(answer['data'][0], answer['_links'])
    end

    def filed_list(type, path)
      (ask(:get, path)['data'] || []).map { |item| type.new(item, item['_links']) }
    end

    def recordings(call_id, leg_id)
      "calls/#{call_id}/legs/#{leg_id}/recordings"
    end

    def transcriptions(call_id, leg_id, recording_id)
      "#{recordings(call_id, leg_id)}/#{recording_id}/transcriptions"
    end
  end
end

# frozen_string_literal: true

# Calls every voice method of the Ruby library: ruby program.rb URL KEY IDS, one line of JSON for each.

require 'digest'
require_relative 'library'

URL, KEY, FILE = ARGV
IDS = JSON.parse(File.read(FILE)).then { |ids| Struct.new(*ids.keys.map(&:to_sym)).new(*ids.values) }

# The one thing that a customer changes: where the voice service is.
class Here < MessageBird::VoiceClient
  def endpoint
    "#{URL}/"
  end
end

CLIENT = MessageBird::Client.new(KEY, nil, nil, Here.new(KEY))

def tell(method, result, detail = '', read = nil)
  @told ||= 0
  sent = MessageBird::VoiceClient.sent
  puts JSON.generate(method: method, result: result, detail: detail, sent: sent - @told, read: read)
  @told = sent
end

# Without an exception of the class given as a defect a method works.
def attempt(method, defect = nil)
  found = yield
  tell(method, 'works', '', found)
  found
rescue StandardError => e
  tell(method, defect && e.instance_of?(defect) ? 'defect' : 'fails', "#{e.class}: #{e.message.lines.first&.strip}")
  nil
end

# An error of the server, as the library tells it.
def refused(method)
  yield
  tell(method, 'fails', 'nothing was raised')
rescue MessageBird::ErrorException => e
  tell(method, 'works', e.message)
rescue StandardError => e
  tell(method, 'fails', "#{e.class}: #{e.message}")
end

def sound(whole)
  { bytes: whole.bytesize, sha256: Digest::SHA256.hexdigest(whole) }
end

steps = [
  { action: 'say', options: { payload: 'Hello.', language: 'en-GB', voice: 'female' } },
  { action: 'pause', options: { length: 60 } }
]
hook = { url: IDS.webhook, token: 'first' }
leg = [IDS.call, IDS.leg]
recording = [*leg, IDS.recording]

call = attempt('call_create') { CLIENT.call_create(IDS.source, IDS.destination, { steps: steps }, hook) }
attempt('call_list') { CLIENT.call_list }
attempt('call_view') { CLIENT.call_view(IDS.call) }
attempt('call_delete') { CLIENT.call_delete(call.id) }

attempt('call_leg_list') { CLIENT.call_leg_list(IDS.call) }

attempt('call_leg_recording_list') { CLIENT.call_leg_recording_list(*leg) }
found = attempt('call_leg_recording_view') { CLIENT.call_leg_recording_view(*recording) }
attempt('call_leg_recording_download') { sound(CLIENT.call_leg_recording_download(found.uri)) }
attempt('call_leg_recording_download with a block', NoMethodError) { CLIENT.call_leg_recording_download(found.uri) { |part| part } }

attempt('voice_transcription_create') { CLIENT.voice_transcription_create(*recording, { language: 'en-US' }.to_json) }
attempt('voice_transcriptions_list') { CLIENT.voice_transcriptions_list(*recording) }
attempt('voice_transcription_view') { CLIENT.voice_transcription_view(*recording, IDS.transcription) }
attempt('voice_transcription_download') do
  CLIENT.voice_transcription_download(*recording, IDS.transcription).force_encoding('UTF-8')
end
attempt('call_leg_recording_delete') { CLIENT.call_leg_recording_delete(*recording) }

made = attempt('call_flow_create') { CLIENT.call_flow_create(title: 'Made', record: false, steps: steps) }
attempt('call_flow_list') { CLIENT.call_flow_list }
attempt('call_flow_view') { CLIENT.call_flow_view(made.id) }
attempt('call_flow_delete') { CLIENT.call_flow_delete(made.id) }

made = attempt('voice_webhook_create') { CLIENT.voice_webhook_create(IDS.webhook, token: 'first') }
attempt('voice_webhooks_list') { CLIENT.voice_webhooks_list(20, 1) }
attempt('voice_webhooks_list without arguments', NameError) { CLIENT.voice_webhooks_list }
attempt('voice_webhook') { CLIENT.voice_webhook(made.id) }
attempt('voice_webhook_update') { CLIENT.voice_webhook_update(made.id, url: IDS.webhook, token: 'second') }
attempt('voice_webhook_delete') { CLIENT.voice_webhook_delete(made.id) }

refused('an unknown id') { CLIENT.call_view(IDS.unknown) }
refused('a missing value') { CLIENT.call_flow_create(title: 'No steps') }
stranger = MessageBird::Client.new('test_of_nobody', nil, nil, Here.new('test_of_nobody'))
refused('a wrong key') { stranger.call_list }

"""Sounds to be played: fetched or found, made fit for a telephone, and kept."""

from callwright.switch.sounds.library import SoundLibrary, Sounds, SoundSettings, SoundStream
from callwright.switch.sounds.production import SoundUnavailable

__all__ = ["SoundLibrary", "SoundSettings", "SoundStream", "SoundUnavailable", "Sounds"]

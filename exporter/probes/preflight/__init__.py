"""What has to be well before real callers come: a checklist, asked for once and never scheduled."""

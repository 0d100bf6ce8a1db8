"""Raw sources become a prepared dataset: one folder with the films, the reports and what is known of both."""

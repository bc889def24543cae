#!/usr/bin/perl
# dkim-verify.pl - what Mail::DKIM says of messages, without a DNS
#
#   dkim-verify.pl RECORDS MESSAGE...
#
# RECORDS has lines "NAME<tab>VALUE".  For each message a line: the result of
# each of its signatures, from the top.
use strict;
use warnings;
use Mail::DKIM::Verifier;
use Net::DNS;

my %records;
open(my $r, '<', shift) or die "$!";
while (<$r>) {
	chomp;
	my ($name, $value) = split /\t/;
	$records{$name} = $value;
}
close $r;

{
	no warnings 'redefine';
	*Mail::DKIM::DNS::query = sub {
		my ($name) = @_;
		my $value = $records{$name} or return;
		return Net::DNS::RR->new(owner => $name, type => 'TXT',
			txtdata => [ $value =~ /(.{1,255})/g ]);
	};
}

for my $path (@ARGV) {
	open(my $f, '<:raw', $path) or die "$path: $!";
	my $message = do { local $/; <$f> };
	close $f;
	my $v = Mail::DKIM::Verifier->new();
	$v->PRINT($message);
	$v->CLOSE;
	print join(' ', map { $_->result } $v->signatures), "\n";
}

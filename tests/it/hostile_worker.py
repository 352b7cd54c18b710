#!/usr/bin/env python3
"""A worker that somebody has taken over: it says to its guard whatever it likes.

Its standard input is the channel. What it does is in the file `orders` beside this program, one word a life; it leaves
a line for each in `deeds`, in the folder of the data.
"""
import array, fcntl, json, os, random, socket, sys, threading, time

here = os.path.dirname(os.path.abspath(sys.argv[0]))
data = sys.argv[sys.argv.index("--data") + 1]
orders = open(os.path.join(here, "orders")).read().split()
channel = socket.socket(fileno=os.dup(0))
first, ancillary, _, _ = channel.recvmsg(128 * 1024, 64 * 1024)
files = array.array("i")
for _, _, given in ancillary:
    files.frombytes(given[: len(given) - len(given) % files.itemsize])


def deed(text):
    with open(os.path.join(data, "deeds"), "a") as deeds:
        deeds.write(text + "\n")


def send(message, given=()):
    if not isinstance(message, bytes):
        message = json.dumps(message).encode()
    try:
        channel.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", given))] if given else [])
    except OSError:
        pass


def sealed(content):
    file = os.memfd_create("x", os.MFD_ALLOW_SEALING)
    os.write(file, content)
    os.lseek(file, 0, os.SEEK_SET)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, 0xF)
    return file


def answers(seconds=5):
    """All that the guard says within some time."""
    channel.settimeout(0.5)
    heard, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            heard.append(json.loads(channel.recv(128 * 1024)))
        except OSError:
            if heard:
                break
    return heard


def odd_files():
    """What is no package: that which never ends, that which never begins, and that which is something else."""
    reading, writing = os.pipe()
    one, other = socket.socketpair()
    plain = os.open(os.path.join(data, "plain"), os.O_CREAT | os.O_RDWR)
    return [
        reading, writing, one.detach(), other.detach(), plain, os.open("/dev/zero", os.O_RDONLY),
        os.open("/dev/urandom", os.O_RDONLY), os.open(here, os.O_RDONLY), os.open("/proc/self/mem", os.O_RDWR),
        os.open("/proc/self/exe", os.O_PATH), os.memfd_create("x"), sealed(b""), sealed(b"rubbish" * 1000),
        sealed(b"\x1f\x8b" + os.urandom(5000)), sealed(b"parameters:\n    cycle.hour: 24\n"), files[0],
    ]


def says_anything():
    chance = random.Random(orders[1])
    odd = odd_files()
    words = ["", "1.0.0", "9.9.9", "0.0.1", "-1", "x" * 70_000, "\r\n\x1b[2Jcashout: all is well", "é\u202e\u0000" * 2000]
    kinds = ["ready", "alive", "update", "configure", "return", "backed_up", "drained", "probed", "song", ""] + [""] * 15
    for _ in range(250):
        kind = chance.choice(kinds)
        message = {"said": kind}
        for field in ["version", "asked_by", "insists", "problem", "nth", "more"]:
            if chance.random() < 0.7:
                message[field] = chance.choice(words + [None, True, False, 0, -1, 2**63, 1e400, [], {}, [[[]]]])
        if kind in ("update", "return") and chance.random() < 0.5:
            message.update(version=chance.choice(words), asked_by=chance.choice(words), insists=True)
        given = chance.sample(odd, chance.choice([0, 0, 1, 1, 1, 3])) if chance.random() < 0.9 else (odd * 16)[:253]
        text = json.dumps(message).encode()
        change = chance.random()
        if change < 0.1:
            text = os.urandom(chance.randrange(1, 3000))
        elif change < 0.2:
            text = text[: chance.randrange(1, len(text) + 1)]
        elif change < 0.25:
            text = b"[" * 90_000
        elif change < 0.3:
            text = b"x" * 150_000
        send(text, given)
    send(b"", odd)
    deed("said many things")
    time.sleep(2)


def says_without_end():
    deed("talks")
    while True:
        send({"said": "alive"})


def lingers():
    """With a socket that whoever closes it last waits for."""
    deed("lingers")
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen()
    for _ in range(40):
        lingering = socket.create_connection(silent.getsockname())
        lingering.setblocking(False)
        try:
            while True:
                lingering.send(b"x" * 65536)
        except BlockingIOError:
            pass
        lingering.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, (1).to_bytes(4, "little") + (600).to_bytes(4, "little"))
        send({"said": "alive"}, [lingering.fileno()])
        # Whoever closes it last waits: that may be us.
        threading.Thread(target=os.close, args=[lingering.detach()], daemon=True).start()
    # The other ends stay open.
    time.sleep(3)
    os._exit(0)


def leaves_a_child():
    """Which answers on the socket of all workers."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            listener = socket.socket(fileno=files[0])
            listener.setblocking(True)
            deed(str(os.getpid()))
            while True:
                listener.accept()[0].close()
        os._exit(0)
    time.sleep(1)


def never_stops():
    deed("stays")
    while True:
        send({"said": "alive"})
        time.sleep(0.1)


def closes_the_socket():
    socket.socket(fileno=files[0]).shutdown(socket.SHUT_RDWR)
    send({"said": "ready", "version": "1.0.0"})
    deed("closed")


def bends_the_settings():
    """With a link in a folder of its own, to what root runs."""
    settings = sys.argv[sys.argv.index("--config") + 1]
    text = open(settings, "rb").read()
    os.rename(settings, settings + ".kept")
    os.symlink(os.path.join(here, "cashout"), settings)
    send({"said": "configure"}, [sealed(text)])
    deed(json.dumps([heard for heard in answers() if heard.get("told") == "configured"]))
    os.unlink(settings)
    os.rename(settings + ".kept", settings)


def rubbish_for_settings():
    settings = sys.argv[sys.argv.index("--config") + 1]
    whole = open(settings, "rb").read()
    told = []
    aliases = b"a: &a [" + b"x," * 200_000 + b"x]\nparameters: [" + b"*a," * 150_000 + b"*a]\n"
    for text in [b"", b"\n", b"\x00\xff\xfe", b"parameters:\n", b"- 1\n", whole[:40], whole + b"    no.such.key: 1\n", b"#" * 2_000_000,
                 whole.replace(b"server.listen: 127.0.0.1", b"server.listen: 0.0.0.0"), whole + b"    dashboard.apiToken: another-token-of-mine\n", aliases]:
        send({"said": "configure"}, [sealed(text)])
        told += [heard for heard in answers() if heard.get("told") == "configured"]
    plain = os.open(os.path.join(data, "plain"), os.O_CREAT | os.O_RDWR)
    os.write(plain, whole)
    send({"said": "configure"}, [plain])
    told += [heard for heard in answers() if heard.get("told") == "configured"]
    deed(json.dumps(told))


def insists():
    """On an older release, which is signed as it should be, and on the one before."""
    package = open(os.path.join(here, orders[1]), "rb").read()
    send({"said": "update", "version": orders[2], "asked_by": "root", "insists": True}, [sealed(package)])
    heard = answers(10)
    send({"said": "return", "asked_by": "root"})
    deed(json.dumps((heard + answers(10))[-1]))


globals()[orders[0]]()

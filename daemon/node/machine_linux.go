package node

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"cpgol/daemon/resources"
)

// machine is the host as the monitoring and watchdog services see it.
type machine struct{}

var _ resources.Machine = machine{}

func (machine) Uptime() time.Duration {
	var now unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // it is always there
	return time.Duration(now.Nano())
}

func (machine) MemoryUsed() (percent uint32, err error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	return memoryUsed(text)
}

// memoryUsed reads /proc/meminfo. The page cache counts as free, buffers do not,
// as with the reference's libstatgrab.
func memoryUsed(meminfo []byte) (percent uint32, err error) {
	sum := func(names ...string) (kb uint64, err error) {
		for _, name := range names {
			_, rest, ok := bytes.Cut(meminfo, []byte(name+":"))
			fields := bytes.Fields(rest)
			if !ok || len(fields) == 0 {
				return 0, fmt.Errorf("/proc/meminfo has no %s", name)
			}
			n, err := strconv.ParseUint(string(fields[0]), 10, 48)
			if err != nil {
				return 0, fmt.Errorf("/proc/meminfo: %s: %w", name, err)
			}
			kb += n
		}
		return kb, nil
	}
	total, err1 := sum("MemTotal", "SwapTotal")
	free, err2 := sum("MemFree", "Cached", "SwapFree")
	if err := errors.Join(err1, err2); err != nil || total == 0 {
		return 0, err
	}
	return uint32((total - min(free, total)) * 100 / total), nil
}

func (machine) Load() (float64, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0, err
	}
	return float64(info.Loads[2]) / (1 << unix.SI_LOAD_SHIFT), nil
}

func (machine) Reboot() error   { return unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART) }
func (machine) PowerOff() error { return unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF) }

// OpenDog opens a device that speaks the kernel's watchdog interface
// (setup_watchdog).
func (machine) OpenDog(device string) (resources.Dog, error) {
	fd, err := unix.Open(device, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	d := dog{fd: fd}
	if err := d.ioctl(unix.WDIOC_GETSUPPORT, unsafe.Pointer(&d.info)); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("it is no watchdog: %w", err)
	}
	on := int32(unix.WDIOS_ENABLECARD)
	d.ioctl(unix.WDIOC_SETOPTIONS, unsafe.Pointer(&on)) // most are on as soon as they are open
	return &d, nil
}

// dog is an open watchdog device.
type dog struct {
	fd   int
	info struct { // struct watchdog_info
		options, firmware uint32
		identity          [32]byte
	}
}

func (d *dog) ioctl(request uint, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(d.fd), uintptr(request), uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}

func (d *dog) Name() string { return unix.ByteSliceToString(d.info.identity[:]) }

func (d *dog) Tickle() error { return d.ioctl(unix.WDIOC_KEEPALIVE, unsafe.Pointer(new(int32))) }

// SetTimeout leaves the timeout alone where the device cannot change it.
func (d *dog) SetTimeout(seconds uint32) (inForce uint32, err error) {
	if d.info.options&unix.WDIOF_SETTIMEOUT != 0 {
		want := int32(seconds)
		err = d.ioctl(unix.WDIOC_SETTIMEOUT, unsafe.Pointer(&want))
	}
	var got int32
	err = errors.Join(err, d.ioctl(unix.WDIOC_GETTIMEOUT, unsafe.Pointer(&got)))
	return uint32(max(got, 0)), err
}

// Close ends the device's watch: the letter says that it is meant (magic close).
func (d *dog) Close() error {
	_, err := unix.Write(d.fd, []byte("V"))
	return errors.Join(err, unix.Close(d.fd))
}
